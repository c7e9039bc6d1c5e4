from savant_reid.cli import main

main(prog_name="savant-reid")
