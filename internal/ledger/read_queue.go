package ledger

// QueueInfo is what others may know of a queue.
type QueueInfo struct {
	Tenant, Name string
	Weight       uint32 // share of the workers, at least 1
	Concurrency  uint32 // leases at a time; 0: no bound
	Paused       bool   // it gives out no leases
	Jobs         uint64 // unfinished
	Waiting      uint64 // of these, with units that a worker could have at once
	Leased       uint32 // leases out
	Dead         uint64 // dead letters that nobody discarded
}

// Queues lists the queues that are in use or have settings, in the order in
// which they came up.
func (l *Ledger) Queues() []QueueInfo {
	all := make([]QueueInfo, 0, len(l.queues))
	for _, q := range l.queues {
		all = append(all, q.info())
	}
	return all
}

func (q *queue) info() QueueInfo {
	return QueueInfo{
		Tenant: q.tenant, Name: q.name, Weight: q.weight, Concurrency: q.concurrency, Paused: q.paused,
		Jobs: q.jobs, Waiting: uint64(q.waiting), Leased: q.leased, Dead: q.letters,
	}
}

// FunctionInfo is where demand for a function and supply of it stand.
type FunctionInfo struct {
	Name    string
	Jobs    uint64 // unfinished
	Workers uint32 // sessions that offer it
	Slots   uint64 // leases these can hold at a time, of all they offer
}

// Functions lists the functions that a job or a worker names, in the order in
// which they came up.
func (l *Ledger) Functions() []FunctionInfo {
	var all []FunctionInfo
	for _, f := range l.functions {
		if f.jobs > 0 || f.wanted > 0 {
			all = append(all, FunctionInfo{Name: f.name, Jobs: f.jobs, Workers: f.wanted, Slots: f.slots})
		}
	}
	return all
}
