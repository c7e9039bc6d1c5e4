"""What the engine has to beat. Each baseline gets its best parameters in hindsight, found with the truth."""
