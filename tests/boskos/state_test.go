package boskos

import (
	"errors"
	"slices"
	"testing"

	"sigs.k8s.io/boskos/client"
	"sigs.k8s.io/boskos/common"
)

const twoPools = `resources:
- {type: cluster, state: dirty, names: [cluster-1]}
- {type: project, state: free, names: [project-1, project-2]}
`

// Mason's way: things of several types are parked in a state that is the name of what they belong to.
func TestAcquireByState(t *testing.T) {
	t.Parallel()
	s := startLessor(t, twoPools)
	mason := newClient(t, "mason", s.URL)
	mustAcquire(t, mason, "cluster", "dirty", "cleaning")
	mustAcquire(t, mason, "project", "free", "leased")
	must(t, mason.ReleaseAll("parked"))

	ann := newClient(t, "ann", s.URL)
	rs, err := ann.AcquireByState("parked", "busy", []string{"project-1", "cluster-1"})
	if err != nil {
		t.Fatal(err)
	}
	names := namesOf(rs)
	slices.Sort(names)
	if !slices.Equal(names, []string{"cluster-1", "project-1"}) {
		t.Fatalf("got %v", names)
	}
	for _, r := range rs {
		if r.State != "busy" || r.Owner != "ann" {
			t.Errorf("got %+v", r)
		}
	}
	must(t, ann.ReleaseAll("free"))
	if ann.HasResource() {
		t.Error("the client should hold nothing any more")
	}
}

func TestAcquireByStateTakesAllOrNothing(t *testing.T) {
	t.Parallel()
	s := startLessor(t, twoPools)
	ann := newClient(t, "ann", s.URL)
	for _, names := range [][]string{
		{"project-1", "nope"},
		{"project-1", "cluster-1"},
		{"project-1", ""},
	} {
		if _, err := ann.AcquireByState("free", "busy", names); !errors.Is(err, client.ErrNotFound) {
			t.Errorf("%q: got %v", names, err)
		}
	}
	metric, err := ann.Metric("project")
	must(t, err)
	if metric.Current["free"] != 2 || metric.Owners[""] != 2 {
		t.Errorf("a refusal should change nothing, got %+v", metric)
	}
}

func TestAcquireByStateLeavesWhatOthersOwn(t *testing.T) {
	t.Parallel()
	s := startLessor(t, twoPools)
	mustAcquire(t, newClient(t, "ann", s.URL), "project", "free", "parked")
	_, err := newClient(t, "bob", s.URL).AcquireByState("parked", "busy", []string{"project-1"})
	if !errors.Is(err, client.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestReleaseMovesToAnyState(t *testing.T) {
	t.Parallel()
	s := startLessor(t, oneThing)
	ann := newClient(t, "ann", s.URL)
	for _, state := range []string{"dirty", "noSchedule", "some resource/name", "free"} {
		metric, err := ann.Metric("gpu")
		must(t, err)
		from := onlyKey(t, metric.Current)
		r := mustAcquire(t, ann, "gpu", from, "busy")
		must(t, ann.ReleaseOne(r.Name, state))
		metric, err = ann.Metric("gpu")
		must(t, err)
		if onlyKey(t, metric.Current) != state || onlyKey(t, metric.Owners) != "" {
			t.Errorf("released as %q, got %+v", state, metric)
		}
	}
}

func TestReleaseKnowsOnlyWhatTheClientHolds(t *testing.T) {
	t.Parallel()
	s := startLessor(t, oneThing)
	ann := newClient(t, "ann", s.URL)
	mustAcquire(t, newClient(t, "bob", s.URL), "gpu", "free", "busy")
	if err := ann.ReleaseOne("gpu-1", "free"); err == nil || err.Error() != "no resource name gpu-1" {
		t.Errorf("got %v", err)
	}
	if err := ann.ReleaseAll("free"); err == nil || err.Error() != "no holding resource" {
		t.Errorf("got %v", err)
	}
}

func TestMetricCountsStatesAndOwners(t *testing.T) {
	t.Parallel()
	s := startLessor(t, "resources:\n"+
		"- {type: gpu, state: free, names: [gpu-1, gpu-2, gpu-3]}\n"+
		"- {type: cpu, state: free, names: [cpu-1]}\n")
	ann := newClient(t, "ann", s.URL)
	mustAcquire(t, ann, "gpu", "free", "busy")
	mustAcquire(t, newClient(t, "bob", s.URL), "gpu", "free", "my own state")

	metric, err := ann.Metric("gpu")
	must(t, err)

	if metric.Type != "gpu" {
		t.Errorf("got type %q", metric.Type)
	}
	expectCounts(t, "current", metric.Current, map[string]int{"free": 1, "busy": 1, "my own state": 1})
	expectCounts(t, "owner", metric.Owners, map[string]int{"": 1, "ann": 1, "bob": 1})
}

// The client can send a user name and a password, meant for a proxy in front: an open server takes no offence.
func TestAClientWithAPasswordIsServed(t *testing.T) {
	t.Parallel()
	s := startLessor(t, oneThing)
	c, err := client.NewClientWithPasswordGetter("ann", s.URL, "ann", func() []byte { return []byte("secret") })
	must(t, err)
	mustAcquire(t, c, "gpu", "free", "busy")
}

func namesOf(rs []common.Resource) []string {
	var names []string
	for _, r := range rs {
		names = append(names, r.Name)
	}
	return names
}

func onlyKey(t *testing.T, counts map[string]int) string {
	t.Helper()
	if len(counts) != 1 {
		t.Fatalf("want one entry, got %v", counts)
	}
	for key := range counts {
		return key
	}
	return ""
}

func expectCounts(t *testing.T, what string, got, want map[string]int) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s is %v, want %v", what, got, want)
		return
	}
	for key, count := range want {
		if got[key] != count {
			t.Errorf("%s is %v, want %v", what, got, want)
		}
	}
}
