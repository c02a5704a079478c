//go:build unix

package httpclient

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// readNow reads what has arrived on a socket, which net has set to non-blocking mode. If that is nothing, the error is
// os.ErrDeadlineExceeded, which crypto/tls takes for temporary.
func readNow(raw syscall.RawConn, p []byte) (n int, err error) {
	closed := raw.Control(func(descriptor uintptr) { n, err = syscall.Read(int(descriptor), p) })
	switch {
	case closed != nil:
		return 0, closed
	case errors.Is(err, syscall.EAGAIN):
		return 0, os.ErrDeadlineExceeded
	case err != nil:
		return 0, err
	case n == 0 && len(p) > 0:
		return 0, io.EOF
	}
	return n, nil
}
