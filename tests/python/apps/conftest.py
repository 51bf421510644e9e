import importlib.util

# The rest needs gw and pytest alone.
collect_ignore = [] if importlib.util.find_spec("fastapi") and importlib.util.find_spec("httpx") else ["test_fastapi.py"]
