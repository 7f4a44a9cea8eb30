package api

import "time"

// Event is something that happened, as CloudEvents 1.0 has it. It is delivered
// at least once, under the same id each time.
type Event struct {
	SpecVersion string     `json:"specversion" doc:"Of CloudEvents." example:"1.0"`
	ID          string     `json:"id" doc:"Unique, and rising in the order in which things happened." example:"0:1.42:0"`
	Source      string     `json:"source" doc:"Who tells." example:"/polymath/shard/0"`
	Type        string     `json:"type" doc:"What happened." example:"run.polymath.job.succeeded.v1"`
	Subject     string     `json:"subject,omitempty" doc:"The job, if it is about one." example:"j00041a"`
	Time        *time.Time `json:"time,omitempty" doc:"When, by the clock of the server that took it down." example:"2026-11-21T12:00:01Z"`
	ContentType string     `json:"datacontenttype" doc:"Of data." example:"application/json"`
	Data        EventData  `json:"data" doc:"The rest."`
}

// EventData is what an Event says beyond its type.
type EventData struct {
	Job      string `json:"job,omitempty" doc:"The job." example:"j00041a"`
	Function string `json:"function,omitempty" doc:"Of the job." example:"primes"`
	Worker   string `json:"worker,omitempty" doc:"The name of the worker that joined or left." example:"laptop"`
}

// The names of server-sent events. Every other one is the type of an Event.
const (
	EventGap      = "gap"      // events before the next one were lost to retention
	EventProgress = "progress" // a Progressed; it has no id
)

// Progressed is how far a job is; it is not kept, so it has no id.
type Progressed struct {
	ID      string `json:"id" doc:"The job." example:"j00041a"`
	State   string `json:"state" doc:"Where it stands." example:"running"`
	Units   Count  `json:"units" doc:"How many pieces its input has." example:"31"`
	Done    Count  `json:"done" doc:"How many of them are part of the answer." example:"12"`
	Working Count  `json:"working" doc:"How many are done by workers that have not reported yet." example:"3"`
	Dead    Count  `json:"dead" doc:"How many are dead letters." example:"0"`
}
