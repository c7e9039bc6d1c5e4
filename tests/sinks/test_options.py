import pytest
from click.testing import CliRunner

from savant_reid.cli import main


@pytest.mark.parametrize(
    ("alone", "value", "partner"),
    [
        ("--kafka-config", "kafka.yml", "--kafka"),
        ("--mqtt-config", "mqtt.yml", "--mqtt"),
        ("--savant-protocol", "0.3.0", "--savant-zmq"),
        ("--rtsp-login", "logins", "--serve-rtsp"),
        ("--rtsp-host", "0.0.0.0", "--serve-rtsp"),
        ("--rtsp-port", "8554", "--serve-rtsp"),
        ("--metrics-host", "0.0.0.0", "--metrics-port"),
        ("--stall-seconds", "30", "--metrics-port"),
    ],
)
def test_an_option_that_means_nothing_alone_asks_for_its_partner(tmp_path, alone: str, value: str, partner: str):
    result = CliRunner().invoke(main, ["run", "module.yml", "--out", str(tmp_path / "out"), alone, value])
    assert result.exit_code == 2
    assert f"{alone}: expected {partner} beside it" in result.output
    assert not (tmp_path / "out").exists()
