package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The pool that is leased from, with twice as many things as clients, so that nobody has to wait for anybody.
const pool = "bench"

func startLessor(ctx context.Context, s settings, dir string) (*process, error) {
	bin, err := filepath.Abs(s.lessor)
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	pools := filepath.Join(dir, "pools.yaml")
	var file strings.Builder
	fmt.Fprintf(&file, "resources:\n- type: %s\n  state: free\n  names:\n", pool)
	for i := range 2 * s.clients {
		fmt.Fprintf(&file, "  - bench-%d\n", i)
	}
	if err := os.WriteFile(pools, []byte(file.String()), 0o600); err != nil {
		return nil, err
	}
	ready := func(ctx context.Context) error {
		client := netHTTP(s)
		defer client.leave()
		_, err := client.call(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
		return err
	}
	return launch(ctx, dir, address, bin, ready,
		"serve", "--listen", address, "--data", filepath.Join(dir, "data"), "--pools", pools)
}

func boskos(dial dial) connect {
	return func(_ context.Context, s settings, server *process) (team, error) {
		return connectBoskos(s, server, dial(s))
	}
}

func connectBoskos(s settings, server *process, client client) (team, error) {
	base := "http://" + server.address
	var workers []worker
	for i := range s.clients {
		owner := fmt.Sprintf("client-%d", i)
		acquire := base + "/acquire?state=free&dest=busy&type=" + pool + "&owner=" + owner
		release := base + "/release?dest=free&owner=" + owner + "&name="
		workers = append(workers, func(ctx context.Context) error {
			body, err := client.call(ctx, http.MethodPost, acquire, nil)
			if err != nil {
				return err
			}
			name := text(body, "name")
			if name == "" || text(body, "owner") != owner {
				return fmt.Errorf("acquire answered %s", body)
			}
			_, err = client.call(ctx, http.MethodPost, release+name, nil)
			return err
		})
	}
	return team{workers, client.leave}, nil
}

// text finds the string of a key in JSON. Good enough for names without escapes, which ours are, and as cheap as what the
// clients of Redis and etcd do with an answer.
func text(body []byte, key string) string {
	_, rest, _ := bytes.Cut(body, []byte(`"`+key+`":"`))
	value, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(value)
}

// nothing is a cycle of two requests that do nothing: what is left for a server to be faster in, with this client.
func nothing(dial dial) connect {
	return func(_ context.Context, s settings, server *process) (team, error) {
		client := dial(s)
		address := "http://" + server.address + "/healthz"
		work := func(ctx context.Context) error {
			for range 2 {
				if _, err := client.call(ctx, http.MethodGet, address, nil); err != nil {
					return err
				}
			}
			return nil
		}
		return team{slices.Repeat([]worker{work}, s.clients), client.leave}, nil
	}
}

func connectV1(_ context.Context, s settings, server *process) (team, error) {
	client := netHTTP(s)
	leases := "http://" + server.address + "/v1/leases"
	var workers []worker
	for i := range s.clients {
		request, err := json.Marshal(map[string]string{
			"owner": fmt.Sprintf("client-%d", i), "pool": pool, "ttl": "60s",
		})
		if err != nil {
			return team{}, err
		}
		workers = append(workers, func(ctx context.Context) error {
			body, err := client.call(ctx, http.MethodPost, leases, request)
			if err != nil {
				return err
			}
			var lease struct {
				ID json.Number `json:"id"`
			}
			if err := json.Unmarshal(body, &lease); err != nil || lease.ID == "" {
				return fmt.Errorf("the lease is %s", body)
			}
			_, err = client.call(ctx, http.MethodDelete, leases+"/"+lease.ID.String(), nil)
			return err
		})
	}
	return team{workers, client.leave}, nil
}
