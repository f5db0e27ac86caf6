"""pulsetrain's simulator: how fast would this chip train this network, and what would make it faster?"""

__version__ = "0.1.0"
