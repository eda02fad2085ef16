"""The registry office: letters, numbers, deliveries, receipts."""
