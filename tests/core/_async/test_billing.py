"""Money that was spent, is owed, and is left."""

import pytest

from rapidata_core import AsyncRapidataClient


async def test_a_job_is_on_the_bill(rapidata_sandbox):
    async with AsyncRapidataClient(environment=rapidata_sandbox.url) as client:
        before = await client.billing.get_balance()
        submission = await client.submit(
            {
                "type": "compare",
                "name": "Billed",
                "instruction": "Which?",
                "data_type": "text",
                "datapoints": [["a", "b"]],
            },
            "global",
            key="billed",
        )
        rapidata_sandbox.advance(3600)
        balance = await client.billing.get_balance()
        assert balance.available == pytest.approx(before.available - submission.estimated_cost)
        assert balance.spent == pytest.approx(submission.estimated_cost)
        period = await client.billing.get_current_billing_period()
        assert period.outstanding_cost == pytest.approx(period.gross_cost - period.discount)
        assert period.gross_cost == pytest.approx(submission.estimated_cost)
        assert period.response_count == 10
        assert period.credits == balance.available
        assert period.start_date < period.end_date
        owed = await client.billing.get_outstanding_balance()
        assert owed.total == pytest.approx(owed.unpaid_invoices + owed.awaiting_invoice)
        assert owed.accruing == pytest.approx(submission.estimated_cost)
