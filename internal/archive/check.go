package archive

import (
	"errors"
	"fmt"
	"os"

	"github.com/polymath-run/polymath"
)

// The file is checked as a whole before bbolt maps it, with plain reads:
// bbolt has checksums for its two meta pages only, and following a damaged
// page through a mapping ends the process. What is proven is that every page
// reachable from the root is where and what it should be, that every key lies
// where a search looks for it, that every record has its checksum, that there
// are as many records as the state says, and that no page in use counts as
// free. What nothing refers to is not looked at.

// check reads the file at a path and returns the state it is in.
func check(path string) (state, error) {
	f, err := os.Open(path)
	if err != nil {
		return state{}, err
	}
	c := &checker{file: f, found: make(map[bucket]uint64)}
	err = errors.Join(c.run(), f.Close())
	var newer *VersionError
	switch {
	case errors.As(err, &newer):
		newer.File = path
		return state{}, newer
	case err != nil:
		return state{}, &DamageError{File: path, Reason: err.Error()}
	}
	return c.state, nil
}

func (c *checker) run() error {
	if err := c.readMeta(); err != nil {
		return err
	}
	c.used = make([]bool, c.meta.pages)
	c.used[0], c.used[1] = true, true
	root := walk{page: c.meta.root, element: c.table}
	if err := c.walk(root, span{}, 0); err != nil {
		return err
	}
	if err := c.readFree(); err != nil {
		return err
	}
	return c.count()
}

// table checks the table that an element of the root names.
func (c *checker) table(e element) error {
	if len(e.key) != 1 || !e.isTable || len(e.value) < tableSize {
		return fmt.Errorf("%q is no table", e.key)
	}
	name := bucket(e.key[0])
	if _, twice := c.found[name]; twice {
		return fmt.Errorf("table %q is there twice", e.key)
	}
	c.found[name] = 0
	w := walk{
		page:    number(e.value),
		element: func(e element) error { return c.record(name, e) },
	}
	if w.page != 0 {
		return c.walk(w, span{}, tableDepth)
	}
	return c.leaf(asPage(e.value[tableSize:]), w, span{})
}

// record checks one record of a table.
func (c *checker) record(in bucket, e element) error {
	if e.isTable {
		return fmt.Errorf("%x is no record", e.key)
	}
	c.found[in]++
	switch in {
	case stateBucket:
		return in.read(e.key, e.value, c.state.code)
	case jobBucket:
		if err := size(e, refSize); err != nil {
			return err
		}
		return c.jobRun(e)
	case letterBucket:
		var d polymath.DeadLetter
		return c.read(in, e, letterSize, func(c *coder) { codeLetter(c, &d) })
	case endedBucket:
		var r endedRecord
		err := c.read(in, e, indexSize, r.code)
		c.ended += uint64(len(r.jobs))
		return err
	case eventBucket:
		var r eventRecord
		err := c.read(in, e, indexSize, r.code)
		c.events += uint64(len(r.events))
		return err
	}
	return fmt.Errorf("there is no table %q", string(rune(in)))
}

// jobRun checks a record of jobs. Those of a group follow each other, and no job is
// in two of them.
func (c *checker) jobRun(e element) error {
	r, err := readRun(e.key, e.value)
	if of := group(r.first); of != c.group {
		c.group, c.members = of, 0
	}
	for _, j := range r.jobs {
		member := uint32(1) << (j.job.ID.Ref.Ordinal % groupJobs)
		if c.members&member != 0 {
			return errors.Join(err, fmt.Errorf("job %v is there twice", j.job.ID.Ref))
		}
		c.members |= member
	}
	c.jobs += uint64(len(r.jobs))
	return err
}

func (c *checker) read(in bucket, e element, keySize int, code func(*coder)) error {
	return errors.Join(in.read(e.key, e.value, code), size(e, keySize))
}

func size(e element, want int) error {
	if len(e.key) != want {
		return fmt.Errorf("key %x has %d bytes, not %d", e.key, len(e.key), want)
	}
	return nil
}

// count compares what was found with what the state says there is.
func (c *checker) count() error {
	for _, name := range buckets() {
		if _, ok := c.found[name]; !ok {
			return fmt.Errorf("table %q is missing", string(rune(name)))
		}
	}
	s := &c.state
	if c.found[stateBucket] != 1 || c.jobs != s.jobs || c.ended != s.jobs ||
		c.found[letterBucket] != s.letters || c.events != s.events {
		return fmt.Errorf("there are %d jobs, %d ends, %d dead letters and %d events, where there should be %d, %d, %d and %d",
			c.jobs, c.ended, c.found[letterBucket], c.events, s.jobs, s.jobs, s.letters, s.events)
	}
	return nil
}
