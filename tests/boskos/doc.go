// Package boskos drives a real lessor with what Boskos users run: the unmodified Go client, boskosctl, reaper and
// janitor, all of one pinned version.
//
// Each test starts its own server on a free loopback port with a data folder of its own, and ends it by its process
// id. Nothing of the client is replaced, not even its sleeps: the tests run side by side instead, since most of them
// only wait.
//
// Run against Boskos itself, all but four of them pass. Those four hold what Lessor promises beyond it: a refused
// acquirebystate takes nothing, a dynamic type is known before it has resources, times finer than a second order
// resources that were touched within one, and a kill loses nothing.
//
// The binary is the one that LESSOR_BIN names, else ../../target/debug/lessor. Tests named TestBoskosNNN_… hold the
// statement of that number in the conformance table, which `cargo xtask conformance` prints.
package boskos
