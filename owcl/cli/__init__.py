"""The command line: reads words, calls one function of the engine, shows what came back."""
