package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
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
		_, err := call(ctx, http.DefaultClient, http.MethodGet, "http://"+address+"/readyz", nil)
		return err
	}
	return launch(ctx, dir, address, bin, ready,
		"serve", "--listen", address, "--data", filepath.Join(dir, "data"), "--pools", pools)
}

// keepAlive is a client that keeps one connection for each worker.
func keepAlive(s settings) *http.Client {
	return &http.Client{
		Timeout: 30 * time.Second,
		Transport: &http.Transport{
			MaxIdleConns:        s.clients,
			MaxIdleConnsPerHost: s.clients,
			DisableCompression:  true,
		},
	}
}

func connectBoskos(_ context.Context, s settings, server *process) (team, error) {
	client := keepAlive(s)
	base := "http://" + server.address
	var workers []worker
	for i := range s.clients {
		owner := fmt.Sprintf("client-%d", i)
		acquire := base + "/acquire?" + url.Values{
			"type": {pool}, "state": {"free"}, "dest": {"busy"}, "owner": {owner},
		}.Encode()
		workers = append(workers, func(ctx context.Context) error {
			body, err := call(ctx, client, http.MethodPost, acquire, nil)
			if err != nil {
				return err
			}
			var got struct {
				Name  string `json:"name"`
				Owner string `json:"owner"`
			}
			if err := json.Unmarshal(body, &got); err != nil || got.Owner != owner {
				return fmt.Errorf("acquire answered %s", body)
			}
			release := base + "/release?" + url.Values{
				"name": {got.Name}, "dest": {"free"}, "owner": {owner},
			}.Encode()
			_, err = call(ctx, client, http.MethodPost, release, nil)
			return err
		})
	}
	return team{workers, client.CloseIdleConnections}, nil
}

func connectV1(_ context.Context, s settings, server *process) (team, error) {
	client := keepAlive(s)
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
			body, err := call(ctx, client, http.MethodPost, leases, request)
			if err != nil {
				return err
			}
			var lease struct {
				ID json.Number `json:"id"`
			}
			if err := json.Unmarshal(body, &lease); err != nil || lease.ID == "" {
				return fmt.Errorf("the lease is %s", body)
			}
			_, err = call(ctx, client, http.MethodDelete, leases+"/"+lease.ID.String(), nil)
			return err
		})
	}
	return team{workers, client.CloseIdleConnections}, nil
}

// call makes one request and reads the whole answer, which has to be a success.
func call(ctx context.Context, client *http.Client, method, address string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return nil, fmt.Errorf("%s %s: %s: %s", method, address, response.Status, bytes.TrimSpace(answer))
	}
	return answer, nil
}
