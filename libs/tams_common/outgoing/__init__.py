"""Requests to addresses that users have given: judged before anything is connected to."""
