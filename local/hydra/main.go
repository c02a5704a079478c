// Command hydra is ORY Hydra, the OAuth2 and OpenID Connect server that the end-to-end test runs against. It is a
// module of its own, so that its dependencies stay away from the project. Build it with the tag sqlite, for DSN=memory.
//
// It ends when its standard input is closed, so that it never outlives the process that started it.
package main

import (
	"io"
	"os"

	"github.com/ory/hydra/v2/cmd"
)

func main() {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	cmd.Execute()
}
