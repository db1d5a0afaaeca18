"""What fastgw costs: budgets that gate CI, benches for people, comparison with other proxies."""
