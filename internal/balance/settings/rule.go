package settings

import "time"

// Health is how upstreams are asked whether they are well, and how one that is
// well again comes back.
type Health struct {
	// Path is asked for with GET, and any status of 200 to 399 is well; "" asks
	// nobody: only what requests show counts.
	Path     string        `yaml:"path"`
	Host     string        `yaml:"host"` // of the Host field; "": the upstream's
	Interval time.Duration `yaml:"interval"`
	Timeout  time.Duration `yaml:"timeout"`
	Rise     int           `yaml:"rise"` // checks in a row until it is up
	Fall     int           `yaml:"fall"` // checks in a row until it is down
	// SlowStart is how long an upstream that has come takes until it gets its
	// whole share; 0: it gets it at once.
	SlowStart time.Duration `yaml:"slow-start"`
}

// Ejection leaves upstreams alone whose answers are bad, whatever their checks
// say.
type Ejection struct {
	Errors      int           `yaml:"errors"` // within Window; 0: they are not counted
	Window      time.Duration `yaml:"window"`
	Consecutive int           `yaml:"consecutive"` // answers of 5xx in a row; 0: they are not counted
	// Latency ejects whoever takes so many times as long as the median of all;
	// 0: latency is not compared.
	Latency int           `yaml:"latency"`
	Base    time.Duration `yaml:"base"` // how long at first; longer each time in a row
	Most    int           `yaml:"most"` // percent of the upstreams that may be ejected at a time
	// Panic is the percent of upstreams that must be well: with fewer, all are
	// used, since the few would be crushed; 0: never.
	Panic int `yaml:"panic"`
}

// Retries are further attempts of a request that failed and may safely be made
// again.
type Retries struct {
	Attempts int `yaml:"attempts"` // of one request at most, the first included; 1: no retries
	Budget   int `yaml:"budget"`   // percent of the requests that may be retried
}

// Hedging is a second attempt beside the first that is slow.
type Hedging struct {
	Percentile int `yaml:"percentile"` // of recent latencies, after which the second begins; 0: never
	Budget     int `yaml:"budget"`     // percent of the requests that may be hedged
}

// Breaker leaves an upstream alone that fails every time.
type Breaker struct {
	Failures int           `yaml:"failures"` // in a row; 0: there is no breaker
	Open     time.Duration `yaml:"open"`     // until it is tried again
	Trials   int           `yaml:"trials"`   // that must succeed in a row
}
