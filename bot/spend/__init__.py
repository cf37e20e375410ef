"""What a team spent: records, amounts, days, digest facts and the alert rule. Pure; uses the pricing engine alone."""
