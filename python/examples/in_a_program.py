#!/usr/bin/env python3
"""A program that serves an application, and is its client.

    python in_a_program.py
"""

import urllib.request

import hello
import libawsgi


def main():
    with libawsgi.Server(hello.application, bind="127.0.0.1:0", suspending=True) as server:
        with urllib.request.urlopen(server.address) as response:
            print(response.read().decode(), end="")


if __name__ == "__main__":
    main()
