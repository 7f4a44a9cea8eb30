package api

import (
	"encoding/json"
	"time"
)

// Names of headers that the API gives a meaning of its own.
const (
	TenantHeader = "Polymath-Tenant" // whom a job belongs to; "default" when missing
	KeyHeader    = "Idempotency-Key" // the Key of a single Submit
)

// Bounds of requests.
const (
	MaxSubmits     = 1000    // jobs in one call
	MaxBodyBytes   = 4 << 20 // of a request
	MaxWaitSeconds = 60      // of Prefer: wait=N and of an Exchange
	MaxPage        = 1000    // items of a page
	DefaultPage    = 100     // items of a page when nobody says how many
	BarBuckets     = 512     // pieces of a Bar at most
)

// Submit asks for one calculation.
type Submit struct {
	Function  string          `json:"function" minLength:"1" maxLength:"64" doc:"The name of the function." example:"primes"`
	Input     json.RawMessage `json:"input,omitempty" doc:"The input of the function: a JSON object, {} when left out." example:"{\"to\":1000000}"`
	Queue     string          `json:"queue,omitempty" maxLength:"64" doc:"The queue of the tenant; default when left out." example:"default"`
	Priority  int8            `json:"priority,omitempty" minimum:"-100" maximum:"100" doc:"The higher the sooner, among the jobs of its queue." example:"0"`
	Attempts  uint8           `json:"attempts,omitempty" maximum:"20" doc:"How often a part that fails is tried as a whole before it is halved to find the guilty unit; 0: 4." example:"4"`
	SkipDead  bool            `json:"skip_dead,omitempty" doc:"Give the answer without units that cannot be calculated, instead of failing." example:"false"`
	NotBefore *time.Time      `json:"not_before,omitempty" doc:"Do not start before this time." example:"2026-11-21T12:00:00Z"`
	Deadline  *time.Time      `json:"deadline,omitempty" doc:"Fail when not finished by this time, which is after now and after not_before." example:"2026-11-22T12:00:00Z"`
	Key       string          `json:"key,omitempty" maxLength:"255" doc:"Makes the request idempotent: the same key with the same request gives the same job, with another it is refused. The Idempotency-Key header says the same of a single request." example:"order-1042"`
}

// Submitted is what became of one Submit: a job, or why there is none.
type Submitted struct {
	ID       string   `json:"id,omitempty" doc:"The job. It is durable: it will finish, whatever dies." example:"j00041a"`
	Existing bool     `json:"existing,omitempty" doc:"The key led to this job, which was there before." example:"false"`
	Error    *Problem `json:"error,omitempty" doc:"Why there is no job."`
}

// SubmittedList answers an array of Submits, in their order.
type SubmittedList struct {
	Items    []Submitted `json:"items" nullable:"false" doc:"One for each request, in order."`
	Accepted int         `json:"accepted" doc:"How many have a job." example:"2"`
	Refused  int         `json:"refused" doc:"How many have an error: look at each." example:"0"`
}

// Job is a picture of one job.
type Job struct {
	ID        string          `json:"id" doc:"Opaque; names the job for ever." example:"j00041a"`
	Tenant    string          `json:"tenant" doc:"Whom it belongs to." example:"default"`
	Queue     string          `json:"queue" doc:"The queue of the tenant." example:"default"`
	Function  string          `json:"function" doc:"What is calculated." example:"primes"`
	Input     json.RawMessage `json:"input,omitempty" doc:"What it is calculated from, in canonical form." example:"{\"to\":1000000}"`
	State     string          `json:"state" enum:"queued,running,succeeded,failed,cancelled" doc:"Where it stands; the last three are final." example:"succeeded"`
	Units     Count           `json:"units" doc:"How many pieces the input has." example:"31"`
	Done      Count           `json:"done" doc:"How many of them are part of the answer." example:"31"`
	Working   Count           `json:"working" doc:"How many are done by workers that have not reported yet." example:"0"`
	Leased    Count           `json:"leased" doc:"How many are out with workers." example:"0"`
	Dead      Count           `json:"dead" doc:"How many are dead letters." example:"0"`
	Priority  int8            `json:"priority,omitempty" doc:"The higher the sooner." example:"0"`
	Attempts  uint8           `json:"attempts,omitempty" doc:"How often a part that fails is tried as a whole." example:"4"`
	SkipDead  bool            `json:"skip_dead,omitempty" doc:"The answer may lack units that cannot be calculated." example:"false"`
	NotBefore *time.Time      `json:"not_before,omitempty" doc:"When it may start." example:"2026-11-21T12:00:00Z"`
	Deadline  *time.Time      `json:"deadline,omitempty" doc:"When it fails if not finished." example:"2026-11-22T12:00:00Z"`
	Submitted *time.Time      `json:"submitted,omitempty" doc:"When it was accepted." example:"2026-11-21T12:00:00Z"`
	Started   *time.Time      `json:"started,omitempty" doc:"When the first lease was granted." example:"2026-11-21T12:00:00.01Z"`
	Finished  *time.Time      `json:"finished,omitempty" doc:"When it reached its final state." example:"2026-11-21T12:00:01Z"`
	Result    json.RawMessage `json:"result,omitempty" doc:"The answer of a job that succeeded, if it has at most 64 KiB; otherwise read the result. Lists of jobs have none." example:"78498"`
	Error     *Problem        `json:"error,omitempty" doc:"Why it failed or was cancelled; of one that succeeded, why its answer cannot be read."`
	Why       string          `json:"why,omitempty" doc:"Why it is not finished, in words; only when asked for." example:"no worker offers the function primes"`
}

// Final reports whether the job never changes again.
func (j *Job) Final() bool {
	return j.State == "succeeded" || j.State == "failed" || j.State == "cancelled"
}

// JobList is a page of jobs, those submitted last first.
type JobList struct {
	Items []Job  `json:"items" nullable:"false" doc:"The jobs; a page may be short and still have a next one."`
	Next  string `json:"next,omitempty" doc:"The cursor of the next page; missing at the end." example:"j00041a"`
}

// Result is the answer of a job, or a page of one that is a list.
type Result struct {
	ID       string            `json:"id" doc:"The job." example:"j00041a"`
	Function string            `json:"function" doc:"What was calculated." example:"primes"`
	Result   json.RawMessage   `json:"result,omitempty" doc:"The answer, when it is no list." example:"78498"`
	Items    []json.RawMessage `json:"items,omitempty" nullable:"false" doc:"A page of the answer, when it is a list."`
	Total    *Count            `json:"total,omitempty" doc:"How long the list is."`
	Next     string            `json:"next,omitempty" doc:"The cursor of the next page; missing at the end." example:"100"`
	Dead     Count             `json:"dead,omitempty" doc:"How many units the answer is without." example:"0"`
}

// Why says why a job is not finished.
type Why struct {
	ID    string `json:"id" doc:"The job." example:"j00041a"`
	State string `json:"state" enum:"queued,running,succeeded,failed,cancelled" doc:"Where it stands." example:"queued"`
	Why   string `json:"why" doc:"In words." example:"no worker offers the function primes"`
}

// Bar is a job's input as a picture: pieces of equal width and what their
// units are, each in thousandths.
type Bar struct {
	ID      string   `json:"id" doc:"The job." example:"j00041a"`
	Units   Count    `json:"units" doc:"How many units the whole bar stands for." example:"31"`
	Buckets []Bucket `json:"buckets" nullable:"false" doc:"From the first unit to the last, at most 512."`
}

// Bucket is the shares of the units of one piece of a Bar. They sum to 1,000.
type Bucket struct {
	Done     uint16 `json:"done" doc:"Part of the answer." example:"1000"`
	Leased   uint16 `json:"leased" doc:"Out with workers." example:"0"`
	Retry    uint16 `json:"retry" doc:"Failed, and to be tried again." example:"0"`
	Returned uint16 `json:"returned" doc:"Handed back by a worker." example:"0"`
	Dead     uint16 `json:"dead" doc:"Dead letters." example:"0"`
	Waiting  uint16 `json:"waiting" doc:"Not carved yet." example:"0"`
	Unknown  uint16 `json:"unknown" doc:"Of a job that ended early: nobody kept which units were done." example:"0"`
}

// Task is an interval of a job's units that somebody works on, or that waits
// to be tried again.
type Task struct {
	State       string     `json:"state" enum:"leased,retry" doc:"Out with a worker, or waiting to be tried again." example:"leased"`
	From        Count      `json:"from" doc:"The first unit." example:"0"`
	To          Count      `json:"to" doc:"The unit after the last." example:"16"`
	Attempt     uint32     `json:"attempt" doc:"1 for the first." example:"1"`
	Token       string     `json:"token,omitempty" doc:"Of the lease." example:"0-1-42-0"`
	Worker      string     `json:"worker,omitempty" doc:"The name of the worker." example:"laptop"`
	Session     string     `json:"session,omitempty" doc:"The id of the worker, as lists show it." example:"0-1-3-0"`
	Done        Count      `json:"done,omitempty" doc:"How many of the units are behind the worker." example:"3"`
	Seconds     float64    `json:"seconds,omitempty" doc:"How long the lease has been out." example:"0.25"`
	Speculative bool       `json:"speculative,omitempty" doc:"A second lease of units another worker holds." example:"false"`
	Slow        bool       `json:"slow,omitempty" doc:"Slower than expected." example:"false"`
	Error       string     `json:"error,omitempty" doc:"Why the last attempt failed." example:"out of memory"`
	Due         *time.Time `json:"due,omitempty" doc:"When it is tried again." example:"2026-11-21T12:00:00Z"`
}

// TaskList is what a job has under way.
type TaskList struct {
	Items []Task `json:"items" nullable:"false" doc:"At most 1,000 leased and 1,000 waiting."`
}

// DeadLetter is a unit that used up its attempts.
type DeadLetter struct {
	Job      string    `json:"job" doc:"The job." example:"j00041a"`
	Unit     Count     `json:"unit" doc:"The guilty unit." example:"7"`
	Tenant   string    `json:"tenant" doc:"Of the job." example:"default"`
	Queue    string    `json:"queue" doc:"Of the job." example:"default"`
	Function string    `json:"function" doc:"Of the job." example:"primes"`
	Attempts uint32    `json:"attempts" doc:"How many failed." example:"4"`
	Error    string    `json:"error" doc:"Of the last attempt." example:"division by zero"`
	Worker   string    `json:"worker" doc:"The last that tried." example:"laptop"`
	Time     time.Time `json:"time" doc:"When it was given up." example:"2026-11-21T12:00:00Z"`
}

// DeadLetterList is a page of dead letters, those of the newest job first.
type DeadLetterList struct {
	Items []DeadLetter `json:"items" nullable:"false" doc:"The letters."`
	Next  string       `json:"next,omitempty" doc:"The cursor of the next page; missing at the end." example:"j00041a:7"`
}
