package boskos

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/boskos/common"
)

// ctl runs boskosctl as owner.
func ctl(t *testing.T, url, owner string, args ...string) result {
	t.Helper()
	return runTool(t, "boskosctl", append([]string{"--server-url", url, "--owner-name", owner}, args...)...)
}

func TestBoskosctlAcquireBeatAndRelease(t *testing.T) {
	t.Parallel()
	s := startLessor(t, oneThing)

	got := ctl(t, s.URL, "ann", "acquire", "--type", "gpu", "--state", "free", "--target-state", "busy")
	if got.code != 0 {
		t.Fatalf("acquire: %+v", got)
	}
	var r common.Resource
	must(t, json.Unmarshal([]byte(got.stdout), &r))
	if r.Name != "gpu-1" || r.Owner != "ann" || r.State != "busy" {
		t.Errorf("acquire printed %s", got.stdout)
	}

	beat := ctl(t, s.URL, "ann", "heartbeat", "--resource", got.stdout, "--period", "100ms", "--timeout", "10s")
	if beat.code != 0 || !strings.Contains(beat.stdout, `heartbeat sent for resource "gpu-1"`) ||
		!strings.Contains(beat.stdout, "reached timeout, stopping heartbeats") {
		t.Errorf("heartbeat: %+v", beat)
	}

	metrics := ctl(t, s.URL, "ann", "metrics", "--type", "gpu")
	want := `{"type":"gpu","current":{"busy":1},"owner":{"ann":1}}` + "\n"
	if metrics.code != 0 || metrics.stdout != want {
		t.Errorf("metrics: %+v, want %s", metrics, want)
	}

	released := ctl(t, s.URL, "ann", "release", "--name", "gpu-1", "--target-state", "free")
	if released.code != 0 || released.stdout != "released resource \"gpu-1\"\n" {
		t.Errorf("release: %+v", released)
	}
}

func TestBoskosctlAcquireFailsAtOnceWithoutATimeout(t *testing.T) {
	t.Parallel()
	s := startLessor(t, oneThing)
	before := startProxy(t, s.URL)
	mustAcquire(t, newClient(t, "ann", s.URL), "gpu", "free", "busy")
	got := ctl(t, before.URL, "bob", "acquire", "--type", "gpu", "--state", "free", "--target-state", "busy")
	if got.code != 1 || got.stderr != "failed to acquire a resource: resources not found\n" {
		t.Errorf("got %+v", got)
	}
	calls := before.expect(t, "/acquire", http.StatusNotFound)
	if calls[0].query.Has("request_id") {
		t.Errorf("without a timeout it should not stand in line: %v", calls[0].query)
	}
}

func TestBoskosctlAcquireWaitsWithATimeout(t *testing.T) {
	t.Parallel()
	s := startLessor(t, oneThing)
	before := startProxy(t, s.URL)
	ann := newClient(t, "ann", s.URL)
	held := mustAcquire(t, ann, "gpu", "free", "busy")
	ended := make(chan result, 1)
	tool(t, "boskosctl") // Built here, so that the wait below is for the server only.
	go func() {
		ended <- ctl(t, before.URL, "bob", "acquire",
			"--type", "gpu", "--state", "free", "--target-state", "busy", "--timeout", "20s")
	}()
	eventually(t, handOverBound, "bob stands in line", func() bool { return len(before.seen("/acquire")) > 0 })
	must(t, ann.ReleaseOne(held.Name, "free"))
	if got := <-ended; got.code != 0 || !strings.Contains(got.stdout, `"owner":"bob"`) {
		t.Errorf("got %+v", got)
	}
}

func TestBoskos111_BoskosctlReleaseOn404MakesFourCalls(t *testing.T) {
	t.Parallel()
	s := startLessor(t, oneThing)
	before := startProxy(t, s.URL)
	got := ctl(t, before.URL, "ann", "release", "--name", "nope", "--target-state", "free")
	want := "failed to release resource \"nope\": status 404 Not Found, statusCode 404 releasing nope\n"
	if got.code != 1 || got.stderr != want {
		t.Errorf("got %+v, want %s", got, want)
	}
	before.expect(t, "/release", 404, 404, 404, 404)
}

func TestBoskosctlHeartbeatFailsWhenTheLeaseIsLost(t *testing.T) {
	t.Parallel()
	s := startLessor(t, oneThing)
	lost := `{"type":"gpu","name":"gpu-1","state":"busy","owner":"ann","userdata":{}}`
	got := ctl(t, s.URL, "ann", "heartbeat", "--resource", lost, "--period", "100ms", "--retries", "0")
	if got.code != 1 || !strings.Contains(got.stderr, "status code 401 updating gpu-1") {
		t.Errorf("got %+v", got)
	}
}

// The reaper looks once a minute, so this test takes one.
func TestBoskos112_TheReaperAsksForBusyCleaningLeasedExtras(t *testing.T) {
	t.Parallel()
	s := startLessor(t, "resources:\n"+
		"- {type: gpu, state: free, names: [gpu-1, gpu-2]}\n"+
		"- {type: cpu, state: free, names: [cpu-1]}\n")
	before := startProxy(t, s.URL)
	ann := newClient(t, "ann", s.URL)
	mustAcquire(t, ann, "gpu", "free", "busy")
	mustAcquire(t, ann, "cpu", "free", "manual")
	startTool(t, "reaper", "--boskos-url="+before.URL, "--resource-type=gpu,cpu",
		"--extra-source-states=manual,foobar", "--expire=5s", "--target-state=dirty")

	eventually(t, 2*time.Minute, "the reaper made a round", func() bool { return len(before.seen("/reset")) >= 10 })

	var got []string
	for _, c := range before.seen("/reset")[:10] {
		got = append(got, fmt.Sprint(c.status, " ", c.query.Encode()))
	}
	var want []string
	for _, rtype := range []string{"gpu", "cpu"} {
		for _, state := range []string{"busy", "cleaning", "leased", "manual", "foobar"} {
			want = append(want, "200 dest=dirty&expire=5s&state="+state+"&type="+rtype)
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the reaper asked for\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for rtype, want := range map[string]map[string]int{"gpu": {"dirty": 1, "free": 1}, "cpu": {"dirty": 1}} {
		metric, err := ann.Metric(rtype)
		must(t, err)
		expectCounts(t, rtype, metric.Current, want)
	}
}

func TestTheJanitorCleansWhatIsDirty(t *testing.T) {
	t.Parallel()
	s := startLessor(t, "resources:\n- {type: gce-project, state: dirty, names: [project-1, project-2, project-3]}\n")
	dir := t.TempDir()
	cleaned := filepath.Join(dir, "cleaned")
	script := filepath.Join(dir, "clean")
	must(t, os.WriteFile(script, []byte("#!/bin/sh\necho \"$@\" >> "+cleaned+"\n"), 0o700))
	startTool(t, "janitor", "--boskos-url="+s.URL, "--resource-type=gce-project", "--janitor-path="+script,
		"--pool-size=1", "--", "--hours=0")

	ann := newClient(t, "ann", s.URL)
	eventually(t, time.Minute, "all is clean", func() bool {
		metric, err := ann.Metric("gce-project")
		must(t, err)
		return metric.Current["free"] == 3 && metric.Owners[""] == 3
	})

	said, err := os.ReadFile(cleaned)
	must(t, err)
	for i := range 3 {
		line := fmt.Sprintf("--project=project-%d --hours=0\n", i+1)
		if strings.Count(string(said), line) != 1 {
			t.Errorf("want %q once in\n%s", line, said)
		}
	}
}
