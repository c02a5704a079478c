package httpclient

import (
	"encoding/binary"
	"net"
	"syscall"
)

// socket is a TCP connection that can be read without waiting.
type socket struct {
	net.Conn
	raw     syscall.RawConn
	noWait  bool     // Read returns os.ErrDeadlineExceeded if nothing has arrived
	records *records // nil without TLS
}

func newSocket(conn net.Conn) (*socket, error) {
	raw, err := conn.(syscall.Conn).SyscallConn() // every connection that net dials has it
	if err != nil {
		return nil, err
	}
	return &socket{Conn: conn, raw: raw}, nil
}

func (s *socket) Read(p []byte) (n int, err error) {
	if s.noWait {
		n, err = readNow(s.raw, p)
	} else {
		n, err = s.Conn.Read(p)
	}
	s.records.follow(p[:n])
	return n, err
}

// records follows the TLS records that the peer sends (RFC 8446 section 5.1). A nil one follows nothing.
type records struct {
	header [5]byte // type, version, length
	have   int     // bytes of header
	left   int     // bytes still to come after the header
}

func (r *records) follow(p []byte) {
	for r != nil && len(p) > 0 {
		if n := min(r.left, len(p)); n > 0 {
			r.left -= n
			p = p[n:]
			continue
		}
		n := copy(r.header[r.have:], p)
		r.have += n
		p = p[n:]
		if r.have == len(r.header) {
			r.have, r.left = 0, int(binary.BigEndian.Uint16(r.header[3:]))
		}
	}
}

// betweenTwo tells whether all that was read are whole records.
func (r *records) betweenTwo() bool { return r == nil || r.have == 0 && r.left == 0 }
