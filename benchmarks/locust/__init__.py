"""What a user of Locust costs: this project beside a locustfile written by hand, and Locust alone.

    python -m benchmarks.locust

The two locustfiles are `with_package.py` and `by_hand.py`; who does nothing but what Locust does
anyway is in `alone.py`. All are real runs of Locust, headless, in a process on a core of its own.
"""
