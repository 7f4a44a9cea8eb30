package archive

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/event"
	"github.com/polymath-run/polymath/internal/ledger"
	bolt "go.etcd.io/bbolt"
)

// formatVersion stands in every record.
const formatVersion = 1

// recordHead is the bytes before the fields of a record: version and checksum.
const recordHead = 1 + 4

// bucket names one of the tables of the file.
type bucket byte

// The tables. The letters are on disk.
const (
	stateBucket  bucket = 's' // "" -> state
	jobBucket    bucket = 'j' // ref of the job -> jobRecord
	endedBucket  bucket = 'f' // index of an entry -> endedRecord: the jobs that finished with it
	letterBucket bucket = 'd' // ref of the job, first unit -> polymath.DeadLetter
	eventBucket  bucket = 'e' // index of an entry -> eventRecord
)

// buckets lists the tables in the order of their names.
func buckets() []bucket {
	return []bucket{letterBucket, eventBucket, endedBucket, jobBucket, stateBucket}
}

func (b bucket) of(tx *bolt.Tx) *bolt.Bucket { return tx.Bucket([]byte{byte(b)}) }

// castagnoli is the polynomial that processors have an instruction for.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// begin appends the head of a record; seal fills it in.
func begin(b []byte) []byte { return append(b, formatVersion, 0, 0, 0, 0) }

// seal puts the checksum into a finished record. It covers the table and the
// key too, so that no record can pass for another.
func (b bucket) seal(key, record []byte) {
	binary.LittleEndian.PutUint32(record[1:], b.sum(key, record))
}

func (b bucket) sum(key, record []byte) uint32 {
	sum := crc32.Update(uint32(b), castagnoli, key)
	sum = crc32.Update(sum, castagnoli, record[:1])
	return crc32.Update(sum, castagnoli, record[recordHead:])
}

// unseal checks a record and returns a coder for its fields. The error is a
// *VersionError, or a *recordError for one that is damaged.
func (b bucket) unseal(key, record []byte) (*coder, error) {
	if len(record) < recordHead || b.sum(key, record) != binary.LittleEndian.Uint32(record[1:]) {
		return nil, &recordError{b, bytes.Clone(key)}
	}
	if record[0] != formatVersion {
		return nil, &VersionError{Version: record[0]}
	}
	return &coder{b: record[recordHead:], reading: true}, nil
}

// read unseals a record and reads its fields.
func (b bucket) read(key, record []byte, code func(*coder)) error {
	c, err := b.unseal(key, record)
	if err != nil {
		return err
	}
	code(c)
	return c.done()
}

// Sizes of keys, in bytes. Keys are big endian, so that they sort as they count.
const (
	indexSize  = 4 + 8
	refSize    = indexSize + 4
	letterSize = refSize + 8
)

func appendIndex(b []byte, x polymath.Index) []byte {
	b = binary.BigEndian.AppendUint32(b, x.Epoch)
	return binary.BigEndian.AppendUint64(b, x.Position)
}

func appendRef(b []byte, r polymath.Ref) []byte {
	return binary.BigEndian.AppendUint32(appendIndex(b, r.Index), r.Ordinal)
}

func appendLetter(b []byte, r polymath.Ref, from uint64) []byte {
	return binary.BigEndian.AppendUint64(appendRef(b, r), from)
}

// indexOf reads what appendIndex wrote; the key is at least that long.
func indexOf(key []byte) polymath.Index {
	return polymath.Index{Epoch: binary.BigEndian.Uint32(key), Position: binary.BigEndian.Uint64(key[4:])}
}

func refOf(key []byte) polymath.Ref {
	return polymath.Ref{Index: indexOf(key), Ordinal: binary.BigEndian.Uint32(key[indexSize:])}
}

// jobRecord is one finished job.
type jobRecord struct {
	clock int64 // of the archive when it finished
	job   polymath.Job
}

// codeNature codes what a job has in common with those it was submitted with.
func (r *jobRecord) codeNature(c *coder) {
	j := &r.job
	o := &j.Options
	c.text(&j.Tenant)
	c.text(&j.Function)
	c.text(&o.Queue)
	priority := int64(o.Priority)
	if c.int(&priority); c.reading {
		o.Priority = int8(priority)
		if int64(o.Priority) != priority {
			c.fail()
		}
	}
	small(c, &o.Attempts)
	c.bool(&o.SkipDead)
	c.int(&o.NotBefore)
	c.int(&o.Deadline)
	small(c, &j.Reducer)
	c.uint(&j.Units)
	c.int(&j.Submitted)
}

// codeCourse codes what it has in common with those that ended with it.
func (r *jobRecord) codeCourse(c *coder) {
	j := &r.job
	c.int(&r.clock)
	small(c, &j.State)
	c.uint(&j.Done)
	c.uint(&j.Leased)
	c.uint(&j.Dead)
	small(c, &j.Code)
	c.text(&j.Error)
	c.int(&j.Started)
	c.int(&j.Finished)
}

// codeOwn codes what it has for itself.
func (r *jobRecord) codeOwn(c *coder) {
	o := &r.job.Options
	keyed := o.Key != [16]byte{} || o.Body != [16]byte{}
	if c.bool(&keyed); keyed {
		c.fixed(o.Key[:])
		c.fixed(o.Body[:])
		if o.Key == [16]byte{} && o.Body == [16]byte{} { // one spelling
			c.fail()
		}
	}
	c.bytes(&r.job.Input)
	c.bytes(&r.job.Result)
}

func codeLetter(c *coder, d *polymath.DeadLetter) {
	c.uint(&d.Interval.To)
	c.text(&d.Tenant)
	c.text(&d.Queue)
	c.text(&d.Function)
	small(c, &d.Attempts)
	c.text(&d.Error)
	c.text(&d.Worker)
	c.int(&d.At)
}

// endedRecord is the jobs that finished with one entry.
type endedRecord struct {
	clock int64
	jobs  []polymath.Ref
}

func (r *endedRecord) code(c *coder) {
	c.int(&r.clock)
	var last polymath.Ref
	list(c, &r.jobs, func(ref *polymath.Ref) {
		c.after(ref, last)
		last = *ref
	})
}

// eventRecord is the events of one entry.
type eventRecord struct {
	clock  int64
	at     int64 // the proposer's clock, Unix milliseconds
	events []ledger.Event
}

// eventKinds is more than there are kinds of events.
const eventKinds = 16

// head codes what comes before the events, of which it returns the number when
// it reads.
func (r *eventRecord) head(c *coder) (events uint64) {
	c.int(&r.clock)
	c.int(&r.at)
	if c.reading {
		ahead := *c
		if ahead.uint(&events); ahead.err != nil || events == 0 {
			c.fail()
		}
	}
	return events
}

func (r *eventRecord) code(c *coder) {
	r.head(c)
	var last [eventKinds]ledger.Event // by their kinds
	list(c, &r.events, func(e *ledger.Event) {
		small(c, &e.Kind)
		before := &last[e.Kind%eventKinds]
		own := e.Job.Shard != before.Job.Shard || e.Name != before.Name
		c.afterWith(&e.Job.Ref, before.Job.Ref, &own)
		if own {
			small(c, &e.Job.Shard)
			c.text(&e.Name)
		} else if c.reading {
			e.Job.Shard, e.Name = before.Job.Shard, before.Name
		}
		if c.reading && own != (e.Job.Shard != before.Job.Shard || e.Name != before.Name) { // one spelling
			c.fail()
		}
		*before = *e
	})
}

// public are the events of the record as readers get them.
func (r *eventRecord) public(shard uint8, at polymath.Index) []event.Event {
	fx := ledger.Effects{Index: at, At: r.at, Events: r.events}
	return AppendEvents(make([]event.Event, 0, len(r.events)), shard, &fx)
}
