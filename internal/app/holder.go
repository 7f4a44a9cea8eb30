package app

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/polymath-run/polymath"
)

// Holder says who uses a data directory, for others that would like to. Only
// the lock tells whether it still does.
type Holder struct {
	PID     int       `json:"pid"`
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	// Address is where a service on this directory listens; "" for none.
	Address string `json:"address,omitempty"`
}

// announce leaves word of who holds the directory. It is renamed into place,
// so that nobody ever reads half of it.
func (d *directory) announce(h Holder) error {
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if err := os.WriteFile(d.file(newHolderName), append(text, '\n'), privateFile); err != nil {
		return err
	}
	return os.Rename(d.file(newHolderName), d.file(holderName))
}

// InUseError is why a directory is not opened: another process has locked it.
type InUseError struct {
	Path   string
	Holder Holder // what that process says of itself; zero when that cannot be read
}

// Error says who uses the directory.
func (e *InUseError) Error() string {
	who := "another process"
	if e.Holder.PID > 0 {
		who = fmt.Sprintf("process %d", e.Holder.PID)
	}
	if e.Holder.Address != "" {
		who += ", a server that answers at " + e.Holder.Address
	}
	return fmt.Sprintf("the data directory %s is in use by %s", e.Path, who)
}

// inUse is the error for a directory another process has locked: an
// InUseError and what to do.
func inUse(path string) error {
	d := directory{path: path}
	h, err := readHolder(d.file(holderName))
	if err != nil {
		h = Holder{}
	}
	way := "wait for it to end"
	if h.Address != "" { // it does not end by itself
		way = "use that server, end it"
	}
	return polymath.Errorf(polymath.Damaged, "%w: %s, or name another directory with --data", &InUseError{path, h}, way)
}

// readHolder reads what announce left.
func readHolder(path string) (h Holder, err error) {
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &h)
	}
	return h, err
}
