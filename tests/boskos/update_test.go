package boskos

import (
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"sigs.k8s.io/boskos/client"
	"sigs.k8s.io/boskos/common"
)

func TestUpdateSetsMergesAndDeletesUserData(t *testing.T) {
	t.Parallel()
	s := startLessor(t, oneThing)
	ann := newClient(t, "ann", s.URL)
	r := mustAcquire(t, ann, "gpu", "free", "busy")
	for _, step := range []struct {
		what  string
		patch common.UserDataMap
		want  common.UserDataMap
	}{
		{"set", common.UserDataMap{"1": "1"}, common.UserDataMap{"1": "1"}},
		{"add", common.UserDataMap{"2": "2"}, common.UserDataMap{"1": "1", "2": "2"}},
		{"override", common.UserDataMap{"1": "other"}, common.UserDataMap{"1": "other", "2": "2"}},
		{"nothing", common.UserDataMap{}, common.UserDataMap{"1": "other", "2": "2"}},
		{"delete", common.UserDataMap{"1": ""}, common.UserDataMap{"2": "2"}},
		{"delete what is not there", common.UserDataMap{"9": ""}, common.UserDataMap{"2": "2"}},
		{"all kinds of text", common.UserDataMap{"ü\n\"": "<&>\u2028 \x00"}, common.UserDataMap{"2": "2", "ü\n\"": "<&>\u2028 \x00"}},
	} {
		must(t, ann.UpdateOne(r.Name, "busy", common.UserDataFromMap(step.patch)))
		if got := throughARelease(t, ann, r.Name); !maps.Equal(got, step.want) {
			t.Errorf("%s: got %q, want %q", step.what, got, step.want)
		}
	}
	must(t, ann.UpdateOne(r.Name, "busy", nil))
	if got := throughARelease(t, ann, r.Name); len(got) != 2 {
		t.Errorf("a beat without user data should leave it alone, got %q", got)
	}
}

// throughARelease gives the user data as the server has it: only an acquire shows it.
func throughARelease(t *testing.T, c *client.Client, name string) common.UserDataMap {
	t.Helper()
	must(t, c.ReleaseOne(name, "free"))
	r := mustAcquire(t, c, "gpu", "free", "busy")
	return r.UserData.ToMap()
}

// Structured values are YAML documents in a string; Mason keeps what it composed in `leasedResources`.
func TestUserDataKeepsStructuredValues(t *testing.T) {
	t.Parallel()
	s := startLessor(t, oneThing)
	ann := newClient(t, "ann", s.URL)
	r := mustAcquire(t, ann, "gpu", "free", "busy")
	data := &common.UserData{}
	must(t, data.Set("leasedResources", &common.LeasedResources{"project-1", "project-2"}))
	must(t, ann.UpdateOne(r.Name, "busy", data))
	must(t, ann.ReleaseOne(r.Name, "free"))

	again := mustAcquire(t, ann, "gpu", "free", "busy")
	var leased common.LeasedResources
	must(t, again.UserData.Extract("leasedResources", &leased))
	if !slices.Equal(leased, common.LeasedResources{"project-1", "project-2"}) {
		t.Errorf("got %v", leased)
	}
}

func TestUpdateAllBeatsForEverythingHeld(t *testing.T) {
	t.Parallel()
	s := startLessor(t, onePool)
	before := startProxy(t, s.URL)
	ann := newClient(t, "ann", before.URL)
	mustAcquire(t, ann, "gpu", "free", "busy")
	mustAcquire(t, ann, "gpu", "free", "busy")
	must(t, ann.UpdateAll("busy"))
	before.expect(t, "/update", http.StatusOK, http.StatusOK)
}

// SyncAll is the heartbeat: each held thing with the state that it has, and it keeps the reaper away.
func TestSyncAllKeepsLeasesFresh(t *testing.T) {
	t.Parallel()
	s := startLessor(t, onePool)
	before := startProxy(t, s.URL)
	ann := newClient(t, "ann", before.URL)
	reaper := newClient(t, "Reaper", s.URL)
	r1 := mustAcquire(t, ann, "gpu", "free", "busy")
	r2 := mustAcquire(t, ann, "gpu", "free", "testing")
	age := 15 * time.Second
	eventually(t, time.Minute, "the leases are old enough to be reaped", func() bool {
		return time.Since(r1.LastUpdate) > age && time.Since(r2.LastUpdate) > age
	})

	must(t, ann.SyncAll())

	got := map[string]string{}
	for _, c := range before.expect(t, "/update", http.StatusOK, http.StatusOK) {
		got[c.query.Get("name")] = c.query.Get("state")
	}
	if !maps.Equal(got, map[string]string{r1.Name: "busy", r2.Name: "testing"}) {
		t.Errorf("beats were %v", got)
	}
	reset, err := reaper.Reset("gpu", "busy", age, "dirty")
	must(t, err)
	if len(reset) != 0 {
		t.Errorf("a fresh lease was reaped: %v", reset)
	}
	eventually(t, time.Minute, "a lease without beats is reaped", func() bool {
		reset, err := reaper.Reset("gpu", "busy", age, "dirty")
		must(t, err)
		return reset[r1.Name] == "ann"
	})
	if err := ann.UpdateOne("nope", "busy", nil); err == nil || err.Error() != "no resource name nope" {
		t.Errorf("got %v", err)
	}
}

func TestResetFindsOnlyWhatItShould(t *testing.T) {
	t.Parallel()
	s := startLessor(t, onePool)
	ann := newClient(t, "ann", s.URL)
	held := mustAcquire(t, ann, "gpu", "free", "busy")
	for _, miss := range []struct {
		what, rtype, state string
		expire             time.Duration
	}{
		{"other type", "tpu", "busy", 0},
		{"other state", "gpu", "cleaning", 0},
		{"not owned", "gpu", "free", 0},
		{"too fresh", "gpu", "busy", 336 * time.Hour},
	} {
		reset, err := ann.Reset(miss.rtype, miss.state, miss.expire, "dirty")
		must(t, err)
		if len(reset) != 0 {
			t.Errorf("%s: got %v", miss.what, reset)
		}
	}
	reset, err := ann.Reset("gpu", "busy", 0, "dirty")
	must(t, err)
	if !maps.Equal(reset, map[string]string{held.Name: "ann"}) {
		t.Errorf("got %v", reset)
	}
	metric, err := ann.Metric("gpu")
	must(t, err)
	expectCounts(t, "current", metric.Current, map[string]int{"free": 1, "dirty": 1})
}
