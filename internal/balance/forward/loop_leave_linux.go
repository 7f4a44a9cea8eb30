package forward

// part closes a connection that was left, once its client has all of its answer or
// has taken none of it for as long as a write may take: c.left is what it has not,
// and c.hedge the end of that time.
func (t *thread) part(c *client) {
	n := int64(untaken(c.fd))
	if n == 0 || n >= c.left && t.now >= c.hedge {
		t.closeClient(c)
		return
	}
	if n < c.left {
		c.left, c.hedge = n, t.now+t.options.Timeouts.Write
	}
	c.thrown = 0
	t.wheel.set(&c.timer, t.now+LingerTime)
	t.later(&c.sock) // behind others, however much it sends
}
