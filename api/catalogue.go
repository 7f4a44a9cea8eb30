package api

import (
	"encoding/json"
	"time"
)

// Function is a calculation the server knows.
type Function struct {
	Name    string           `json:"name" doc:"Its name in requests." example:"primes"`
	Summary string           `json:"summary" doc:"What it does, in a line." example:"count the primes of a range"`
	Kind    string           `json:"kind" doc:"What its units are made from: range, list or call." example:"range"`
	Params  []Param          `json:"params" nullable:"false" doc:"The fields of its input."`
	Unit    string           `json:"unit,omitempty" doc:"What one unit is, in words." example:"a stretch of the range"`
	Cost    string           `json:"cost,omitempty" doc:"What a calculation costs, in words." example:"0.1 s for a range of 10^9"`
	Example *FunctionExample `json:"example,omitempty" doc:"A calculation that works."`
	Remote  bool             `json:"remote,omitempty" doc:"Only workers have it; it is there while one offers it." example:"false"`
	Workers int              `json:"workers" doc:"How many workers offer it now." example:"1"`
	Slots   Count            `json:"slots" doc:"How many leases they take at a time." example:"8"`
}

// Param is one field of a function's input.
type Param struct {
	Name     string   `json:"name" doc:"The key in the input." example:"to"`
	Type     string   `json:"type" doc:"integer, decimal, text, flag, integers, pairs or duration." example:"integer"`
	Doc      string   `json:"doc" doc:"What it is, its unit and range." example:"the last number of the range"`
	Default  string   `json:"default,omitempty" doc:"What leaving it out means." example:"0"`
	Required bool     `json:"required" doc:"It may not be left out." example:"true"`
	Choices  []string `json:"choices,omitempty" nullable:"false" doc:"All the values there are, if they are few." example:"count,sum"`
}

// FunctionExample is a calculation that works.
type FunctionExample struct {
	Args   string          `json:"args" doc:"As typed after polymath run and the name." example:"--to 1e6"`
	Input  json.RawMessage `json:"input" doc:"As JSON." example:"{\"to\":1000000}"`
	Answer json.RawMessage `json:"answer" doc:"What comes of it." example:"78498"`
}

// FunctionList is every function, by name.
type FunctionList struct {
	Items []Function `json:"items" nullable:"false" doc:"Sorted by name."`
}

// Queue is a queue of a tenant. It exists while it has settings or jobs.
type Queue struct {
	Tenant      string `json:"tenant" doc:"Whom it belongs to." example:"default"`
	Name        string `json:"name" doc:"Its name." example:"default"`
	Paused      bool   `json:"paused" doc:"No new lease is granted from it." example:"false"`
	Weight      uint32 `json:"weight" doc:"Its share of the workers, beside the other queues." example:"1"`
	Concurrency uint32 `json:"concurrency" doc:"How many leases it has at most; 0: no limit." example:"0"`
	Jobs        Count  `json:"jobs" doc:"Unfinished." example:"3"`
	Waiting     Count  `json:"waiting" doc:"Jobs that have work to lease out." example:"2"`
	Leased      Count  `json:"leased" doc:"Leases out." example:"8"`
	Dead        Count  `json:"dead" doc:"Dead letters kept." example:"0"`
}

// QueueList is every queue.
type QueueList struct {
	Items []Queue `json:"items" nullable:"false" doc:"Sorted by tenant and name."`
}

// QueuePatch changes the settings of a queue; what is left out stays.
type QueuePatch struct {
	Paused      *bool   `json:"paused,omitempty" doc:"Grant no new leases from it." example:"true"`
	Weight      *uint32 `json:"weight,omitempty" minimum:"1" maximum:"1000" doc:"Its share of the workers, beside the other queues." example:"2"`
	Concurrency *uint32 `json:"concurrency,omitempty" maximum:"4294967295" doc:"How many leases it has at most; 0: no limit." example:"4"`
}

// Stats is the state of the server in numbers.
type Stats struct {
	Version   string  `json:"version" doc:"Of the server." example:"v0.1.0"`
	Node      string  `json:"node" doc:"Its name." example:"local"`
	Index     string  `json:"index" doc:"The place in the journal everything here is as of." example:"1.42"`
	Uptime    float64 `json:"uptime_seconds" doc:"How long it has been up." example:"3600"`
	Jobs      Count   `json:"jobs" doc:"Unfinished." example:"3"`
	MaxJobs   Count   `json:"max_jobs" doc:"How many there may be." example:"1000000"`
	Bytes     Count   `json:"bytes" doc:"What unfinished jobs hold in memory." example:"65536"`
	MaxBytes  Count   `json:"max_bytes" doc:"How much they may." example:"1073741824"`
	Leases    int     `json:"leases" doc:"Out with workers." example:"8"`
	Workers   int     `json:"workers" doc:"That are here." example:"1"`
	Functions int     `json:"functions" doc:"The server knows." example:"20"`
	Streams   int     `json:"streams" doc:"Event streams that are open." example:"1"`
	Waiting   int     `json:"waiting_requests" doc:"Requests that wait for a job or for work." example:"2"`
}

// Point is what happened in one stretch of time.
type Point struct {
	Time      time.Time `json:"time" doc:"When the stretch began." example:"2026-11-21T12:00:00Z"`
	Submitted Count     `json:"submitted" doc:"Jobs accepted." example:"10"`
	Started   Count     `json:"started" doc:"Jobs that got their first lease." example:"10"`
	Succeeded Count     `json:"succeeded" doc:"Jobs." example:"9"`
	Failed    Count     `json:"failed" doc:"Jobs." example:"0"`
	Cancelled Count     `json:"cancelled" doc:"Jobs." example:"1"`
	Units     Count     `json:"units" doc:"That became part of answers." example:"310"`
	Granted   Count     `json:"granted" doc:"Leases." example:"40"`
	Ended     Count     `json:"ended" doc:"Leases." example:"40"`
	Expired   Count     `json:"expired" doc:"Leases whose worker was lost." example:"0"`
	Dead      Count     `json:"dead" doc:"Dead letters." example:"0"`
	Sampled   bool      `json:"sampled" doc:"The sizes that follow are known." example:"true"`
	Jobs      Count     `json:"jobs" doc:"Unfinished, at the end of the stretch." example:"3"`
	Leases    Count     `json:"leases" doc:"Out, at the end of the stretch." example:"8"`
	Workers   Count     `json:"workers" doc:"At the end of the stretch." example:"1"`
	Bytes     Count     `json:"bytes" doc:"In memory, at the end of the stretch." example:"65536"`
}

// History is a row of Points. Stretches of which nothing is known are missing.
type History struct {
	Seconds int     `json:"seconds" doc:"How long a stretch is." example:"1"`
	Points  []Point `json:"points" nullable:"false" doc:"Oldest first."`
}

// Span is one lease from its grant to its end, as a bar in a chart.
type Span struct {
	Token    string     `json:"token" doc:"Of the lease." example:"0-1-42-0"`
	Job      string     `json:"job" doc:"Whose units they are." example:"j00041a"`
	Function string     `json:"function" doc:"Of the job." example:"primes"`
	Worker   string     `json:"worker" doc:"Its name." example:"laptop"`
	From     Count      `json:"from" doc:"The first unit." example:"0"`
	To       Count      `json:"to" doc:"The unit after the last." example:"16"`
	Granted  time.Time  `json:"granted" doc:"When it began." example:"2026-11-21T12:00:00Z"`
	Ended    *time.Time `json:"ended,omitempty" doc:"When it was over; missing while it is out." example:"2026-11-21T12:00:00.25Z"`
	Outcome  string     `json:"outcome,omitempty" doc:"completed, failed, returned, expired or superseded; missing while it is out." example:"completed"`
}

// SpanList is a page of Spans.
type SpanList struct {
	Items   []Span `json:"items" nullable:"false" doc:"Leases that ended, those that ended first first."`
	Running []Span `json:"running" nullable:"false" doc:"Leases that are out, with the last page only; at most 1,000."`
	Next    string `json:"next" doc:"The cursor to go on with, now or later." example:"1795264334000042"`
	More    bool   `json:"more" doc:"There is a next page already." example:"false"`
	Gap     bool   `json:"gap" doc:"Leases after the cursor were forgotten." example:"false"`
}
