//go:build tools

// Names the program that is built here, so that go.mod keeps its version.
package main

import _ "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router"
