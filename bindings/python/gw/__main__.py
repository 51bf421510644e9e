"""`python -m gw` and the script `gw`: the program of the same name."""
import os
import pathlib
import sys


def main() -> None:
    program = pathlib.Path(__file__).parent / "bin" / "gw"
    os.execv(program, ["gw", *sys.argv[1:]])


if __name__ == "__main__":
    main()
