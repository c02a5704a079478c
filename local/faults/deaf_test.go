package faults

import (
	"net"
	"syscall"
	"time"
)

// deaf is a port that neither takes nor refuses connections: packets to it get no response, as where a security group or a
// firewall drops them.
type deaf struct {
	listener net.Listener
	waiting  []net.Conn
}

// listenDeaf fills the queue of connections that nobody accepts. The kernel then drops what comes after them.
func listenDeaf(address string) *deaf {
	d := &deaf{listener: must(net.Listen("tcp", address))}
	socket := must(d.listener.(*net.TCPListener).SyscallConn())
	shorten := func(fd uintptr) { _ = syscall.Listen(int(fd), 0) } // the queue, which begins with hundreds of places
	if err := socket.Control(shorten); err != nil {
		panic(err)
	}
	for len(d.waiting) < 16 {
		c, err := net.DialTimeout("tcp", address, 200*time.Millisecond)
		if err != nil {
			return d
		}
		d.waiting = append(d.waiting, c)
	}
	panic("the queue of connections has no end")
}

func (d *deaf) close() {
	_ = d.listener.Close()
	for _, c := range d.waiting {
		_ = c.Close()
	}
}
