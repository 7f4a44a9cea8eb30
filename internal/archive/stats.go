package archive

// Stats is how much the archive has on disk.
type Stats struct {
	Jobs    uint64 // finished
	Letters uint64 // dead ones
	Events  uint64
}

// Stats reads the sizes as of the last commit.
func (a *Archive) Stats() Stats {
	a.mu.Lock()
	defer a.mu.Unlock()
	return Stats{a.durable.jobs, a.durable.letters, a.durable.events}
}
