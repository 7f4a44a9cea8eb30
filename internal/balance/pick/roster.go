package pick

// roster follows the requests in flight by the names of backends. A backend
// that was removed is remembered until its last request has ended, so that one
// of the same name that comes back begins with the count it really has.
type roster struct {
	named map[string]*load
	loads []*load // by index in the latest Update
}

// load is what a backend carries.
type load struct {
	name     string
	inFlight int64 // requests picked and not done
	listed   bool  // in the latest Update
	counted  bool  // in Ring.total; set by Ring only
	peak     peak  // kept by PeakEWMA only
}

func (r *roster) update(backends []Backend) {
	if r.named == nil {
		r.named = make(map[string]*load, len(backends))
	}
	for _, l := range r.named {
		l.listed = false
	}
	r.loads = r.loads[:0]
	for i := range backends {
		l := r.named[backends[i].Name]
		if l == nil {
			l = &load{name: backends[i].Name}
			r.named[backends[i].Name] = l
		}
		l.listed = true
		r.loads = append(r.loads, l)
	}
	for name, l := range r.named {
		if !l.listed && l.inFlight == 0 {
			delete(r.named, name)
		}
	}
}

// done counts the end of a request and gives its backend's load; nil where no
// request of that name is in flight.
func (r *roster) done(o *Outcome) *load {
	l := r.find(o)
	if l == nil || l.inFlight == 0 {
		return nil
	}
	l.inFlight--
	if !l.listed && l.inFlight == 0 {
		delete(r.named, o.Name)
	}
	return l
}

// find is the load of a name: mostly it is still where it was.
func (r *roster) find(o *Outcome) *load {
	if i := o.Index; i >= 0 && i < len(r.loads) && r.loads[i].name == o.Name {
		return r.loads[i]
	}
	return r.named[o.Name]
}
