//go:build !unix

package httpclient

import (
	"errors"
	"syscall"
)

// readNow always fails here, so that no connection is used twice. Preflight can live with that.
func readNow(syscall.RawConn, []byte) (int, error) { return 0, errors.ErrUnsupported }
