package forward

// handOver gives a client, with what was read of it, to the fallback.
func (t *thread) handOver(c *client, data []byte) {
	early := append([]byte(nil), data...)
	unregister(t.epoll, c.fd) // the connection lives on under another descriptor
	t.forgetClient(c)
	t.give(c.fd, early)
}

// give gives a socket that the thread does not know, or no longer.
func (t *thread) give(fd int32, early []byte) {
	n, err := detached(fd)
	if err != nil {
		t.options.Log.Warn("a connection is lost on its way to the fallback", "error", err)
		return
	}
	if n.RemoteAddr() == nil { // the client has gone
		_ = n.Close()
		return
	}
	t.stats.HandedOver++
	t.loop.own.Fallback(n, early)
}
