package introspect

import "time"

// Patient has the client wait for slow responses, so that a busy machine changes no test's outcome. Failed requests are
// repeated as ever.
func Patient(c *Client) *Client {
	c.hedge.latency = latency{first: time.Hour, least: time.Hour, most: time.Hour}
	return c
}
