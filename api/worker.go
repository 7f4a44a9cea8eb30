package api

import "encoding/json"

// Worker is somebody who takes leases.
type Worker struct {
	ID        string   `json:"id" doc:"Its session, without the secret by which a worker speaks for itself." example:"0-1-3-0"`
	Name      string   `json:"name" doc:"What it calls itself." example:"laptop"`
	Rejoining bool     `json:"rejoining,omitempty" doc:"Its connection broke, or the server was started again: within seconds it is back, or gone. What only it offers is unknown until then." example:"false"`
	Local     bool     `json:"local" doc:"It is part of the server's process." example:"true"`
	Functions []string `json:"functions" nullable:"false" doc:"What it offers." example:"primes,isprime"`
	Slots     uint32   `json:"slots" doc:"How many leases it takes at a time." example:"8"`
	Leases    []Held   `json:"leases" nullable:"false" doc:"What it has now."`
	Silent    float64  `json:"silent_seconds" doc:"How long it was not heard of." example:"0.4"`
}

// Held is a lease as its worker's entry shows it.
type Held struct {
	Token string `json:"token" doc:"Of the lease." example:"0-1-42-0"`
	Job   string `json:"job" doc:"Whose units they are." example:"j00041a"`
	From  Count  `json:"from" doc:"The first unit." example:"0"`
	To    Count  `json:"to" doc:"The unit after the last." example:"16"`
}

// WorkerList is every worker.
type WorkerList struct {
	Items []Worker `json:"items" nullable:"false" doc:"In the order in which they joined."`
}

// Join opens a session for a worker that speaks HTTP and JSON.
type Join struct {
	Name      string        `json:"name" minLength:"1" maxLength:"64" doc:"What it calls itself, for people." example:"laptop"`
	Functions []Declaration `json:"functions" nullable:"false" minItems:"1" maxItems:"500" doc:"What it offers."`
	Slots     uint32        `json:"slots" minimum:"1" maximum:"1024" doc:"How many leases it takes at a time." example:"4"`
	Seconds   float64       `json:"seconds,omitempty" minimum:"0" maximum:"600" doc:"How long a lease should take it; 0: a quarter of a second." example:"0.25"`
}

// Declaration is a function a worker offers. Of one the server has itself, the
// name is enough; of any other it must say the rest.
type Declaration struct {
	Name       string `json:"name" minLength:"1" maxLength:"64" doc:"Its name in requests: lower case letters, digits, - and _, a letter first." example:"double"`
	Summary    string `json:"summary,omitempty" maxLength:"200" doc:"What it does, in a line." example:"twice each number"`
	Kind       string `json:"kind,omitempty" enum:"call,list,range" doc:"What its units are made from: the input as one unit, the elements of its items, or the numbers from its from to its to." example:"list"`
	Reducer    string `json:"reducer,omitempty" enum:"count,sum,min,max,collect" doc:"How outputs become the answer." example:"collect"`
	Micros     Count  `json:"micros,omitempty" doc:"How many microseconds a unit takes one core, at most a day; 0: 1." example:"1000"`
	LongestRun uint32 `json:"longest_run_seconds,omitempty" maximum:"600" doc:"It may go without progress for so long; 0: 30 seconds, as usual." example:"0"`
}

// Joined is an open session.
type Joined struct {
	ID   string  `json:"id" doc:"Names the session in every further call. Whoever has it speaks for the worker: lists show it without the secret from the dot on." example:"0-1-3-0.OJ5GKTQ2W7ENFZXCB4RYAL3UDH"`
	Beat float64 `json:"beat_seconds" doc:"Call again at the latest after so long: a worker unheard of for three seconds is gone, and its leases go to others." example:"1"`
}

// Exchange is everything a worker has to say, and how long it likes to wait
// for something to do. While it waits it counts as alive.
type Exchange struct {
	Progress []Progress `json:"progress,omitempty" nullable:"false" maxItems:"1024" doc:"How far leases are."`
	Complete []Complete `json:"complete,omitempty" nullable:"false" maxItems:"1024" doc:"Leases that are done."`
	Fail     []Fail     `json:"fail,omitempty" nullable:"false" maxItems:"1024" doc:"Leases that could not be done."`
	Release  []string   `json:"release,omitempty" nullable:"false" maxItems:"1024" doc:"Tokens of leases that are handed back untouched." example:"0-1-42-0"`
	Holding  *[]string  `json:"holding,omitempty" nullable:"false" maxItems:"1024" doc:"Tokens of all leases it goes on with, those reported here left out. When given, leases it does not name, because an answer was lost on the way, are told again." example:"0-1-42-0"`
	Slots    *uint32    `json:"slots,omitempty" maximum:"1024" doc:"How many leases it takes from now on; left out: as before." example:"4"`
	Wait     float64    `json:"wait_seconds,omitempty" minimum:"0" maximum:"60" doc:"How long to wait for something to do." example:"30"`
}

// Progress says how far a lease is.
type Progress struct {
	Token string `json:"token" doc:"Of the lease." example:"0-1-42-0"`
	Done  Count  `json:"done" doc:"How many of its units are behind the worker." example:"3"`
}

// Complete ends a lease with what came of its units: an Output or Values.
type Complete struct {
	Token   string            `json:"token" doc:"Of the lease." example:"0-1-42-0"`
	Output  string            `json:"output,omitempty" doc:"Of all its units together, in the form of the job's reducer: decimal digits for count, sum, min and max." example:"42"`
	Values  []json.RawMessage `json:"values,omitempty" nullable:"false" maxItems:"8000" doc:"Of each of its units, any JSON: for functions of kind call and list."`
	Seconds float64           `json:"seconds,omitempty" minimum:"0" doc:"How long it took." example:"0.25"`
}

// Fail ends a lease without one.
type Fail struct {
	Token string `json:"token" doc:"Of the lease." example:"0-1-42-0"`
	Error string `json:"error" doc:"What went wrong, for people; cut to 1,024 bytes." example:"out of memory"`
}

// Lease is the right to work on an interval of a job's units.
type Lease struct {
	Token       string          `json:"token" doc:"Fences the lease: quote it in every report." example:"0-1-42-0"`
	Job         string          `json:"job" doc:"Whose units they are." example:"j00041a"`
	Function    string          `json:"function" doc:"What to calculate." example:"double"`
	Input       json.RawMessage `json:"input" doc:"The whole input of the job, in canonical form." example:"{\"items\":[1,2]}"`
	From        Count           `json:"from" doc:"The first unit." example:"0"`
	To          Count           `json:"to" doc:"The unit after the last." example:"2"`
	Attempt     uint32          `json:"attempt" doc:"1 for the first." example:"1"`
	Seconds     float64         `json:"seconds" doc:"How long it is expected to take this worker." example:"0.25"`
	LongestRun  uint32          `json:"longest_run_seconds,omitempty" doc:"It may go without progress for so long; missing: 30 seconds." example:"600"`
	Speculative bool            `json:"speculative,omitempty" doc:"Another worker has these units as well; the first to complete wins." example:"false"`
}

// Assignment is everything there is to tell a worker.
type Assignment struct {
	Leases  []Lease   `json:"leases" nullable:"false" doc:"New work."`
	Retired []string  `json:"retired" nullable:"false" doc:"Tokens of leases that are over: stop, and report nothing." example:"0-1-42-0"`
	Refused []Refusal `json:"refused" nullable:"false" doc:"Reports of this call that were not taken. The others count."`
}

// Refusal is a report that was not taken.
type Refusal struct {
	Token string  `json:"token" doc:"Of the lease." example:"0-1-42-0"`
	Error Problem `json:"error" doc:"Why; stale_token: the lease was over already."`
}
