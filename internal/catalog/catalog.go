// Package catalog knows the functions a server can take jobs for: those that
// are built in, and those that workers declared.
package catalog

import (
	"slices"
	"strings"
	"sync"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/remote"
)

// MaxDeclared is how many functions workers may declare. What nobody declares
// any more stays known until the server ends or room is needed.
const MaxDeclared = remote.MaxFunctions

// maxListed is how many functions an error lists.
const maxListed = 50

// Catalog is safe for concurrent use.
type Catalog struct {
	builtin *function.Set

	mu       sync.RWMutex
	declared map[string]*entry // guarded by mu
}

// entry is a declared function and how many sessions declare it now.
type entry struct {
	function function.Function // a remote.Function; in its interface, since Get returns it for each job
	sessions int
}

func (e *entry) declaration() remote.Declaration { return e.function.(remote.Function).Declaration }

// New makes a catalog of the built-in functions.
func New(builtin *function.Set) *Catalog {
	return &Catalog{builtin: builtin, declared: make(map[string]*entry)}
}

// Get finds a function. The NotFound error for an unknown one lists those
// there are.
func (c *Catalog) Get(name string) (function.Function, error) {
	if f, builtin := c.builtin.Find(name); builtin {
		return f, nil
	}
	c.mu.RLock()
	e := c.declared[name]
	var f function.Function
	if e != nil {
		f = e.function // another session may declare it anew
	}
	c.mu.RUnlock()
	if e != nil {
		return f, nil
	}
	names, more := c.Names(), ""
	if len(names) > maxListed {
		names, more = names[:maxListed], ", and more"
	}
	return nil, polymath.Errorf(polymath.NotFound, "there is no function %.80q: no worker here declared it; there are %s%s",
		name, strings.Join(names, ", "), more)
}

// Names lists the functions, sorted.
func (c *Catalog) Names() []string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	names := slices.Clone(c.builtin.Names())
	for name := range c.declared {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Declare adds the functions of a session, all or none. The error is Conflict
// when a name is built in, or is declared differently by another session, and
// Overloaded when there would be more than MaxDeclared.
func (c *Catalog) Declare(all []remote.Declaration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	used := c.used()
	seen := make(map[string]bool, len(all))
	for i := range all {
		d := &all[i]
		if err := c.check(d); err != nil {
			return err
		}
		if seen[d.Name] {
			return polymath.Errorf(polymath.InvalidArgument, "the function %s is declared twice by one worker", d.Name)
		}
		seen[d.Name] = true
		if old := c.declared[d.Name]; old == nil || old.sessions == 0 {
			used++
		}
	}
	if used > MaxDeclared {
		return polymath.Errorf(polymath.Overloaded, "workers would declare %d functions, more than the %d this server takes", used, MaxDeclared)
	}
	for _, d := range all {
		e := c.declared[d.Name]
		if e == nil {
			e = &entry{}
			c.declared[d.Name] = e
		}
		e.function = remote.Function{Declaration: d}
		e.sessions++
	}
	c.shrink()
	return nil
}

// check is why a declaration cannot be taken. c.mu is held.
func (c *Catalog) check(d *remote.Declaration) error {
	if err := d.Check(); err != nil {
		return err
	}
	if _, builtin := c.builtin.Find(d.Name); builtin {
		return polymath.Errorf(polymath.Conflict, "the function %s is built in: choose another name", d.Name)
	}
	e := c.declared[d.Name]
	if e == nil || e.sessions == 0 {
		return nil
	}
	if old := e.declaration(); old != *d {
		return polymath.Errorf(polymath.Conflict,
			"another worker declares %s as a %s with reducer %v: choose another name, or stop that worker first",
			d.Name, old.Kind, old.Reducer)
	}
	return nil
}

// used counts the functions that are declared now. c.mu is held.
func (c *Catalog) used() (n int) {
	for _, e := range c.declared {
		if e.sessions > 0 {
			n++
		}
	}
	return n
}

// shrink forgets what nobody declares while there is more than there is room
// for. c.mu is held.
func (c *Catalog) shrink() {
	for name, e := range c.declared {
		if len(c.declared) > MaxDeclared && e.sessions == 0 {
			delete(c.declared, name)
		}
	}
}

// Retract says that a session that declared these functions is over.
func (c *Catalog) Retract(all []remote.Declaration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range all {
		if e := c.declared[d.Name]; e != nil && e.sessions > 0 {
			e.sessions--
		}
	}
}
