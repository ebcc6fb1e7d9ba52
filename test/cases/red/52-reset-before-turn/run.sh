#!/bin/bash
# Connections that are reset while they wait for their turn: does the gateway live on? 0: it does, 1: it has ended
exec node "$(dirname "$0")/resets.mjs"
