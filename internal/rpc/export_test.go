package rpc

import "time"

// Bound makes the bounds of the streams that open from now on small enough
// to be reached in a test: how long a message may take to be read, and how
// many bytes may wait.
func (s *Server) Bound(write time.Duration, unsent int) { s.writeLimit, s.unsentLimit = write, unsent }

// Open counts n streams as open.
func (s *Server) Open(n int64) { s.streams.Add(n) }
