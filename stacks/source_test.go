package stacks

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
)

// certificate is a new self-signed one in PEM form.
func certificate() []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true}
	der, err := x509.CreateCertificate(rand.Reader, about, about, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestFindSource(t *testing.T) {
	found, err := FindSource()
	if err != nil {
		t.Fatal(err)
	}
	if found.Root != source.Root || !plainVersion.MatchString(found.Version) || found.Revision == "" {
		t.Errorf("found %+v", found)
	}

	t.Chdir(t.TempDir())
	if found, err := FindSource(); err == nil {
		t.Errorf("found %+v outside of the project", found)
	}
}

func TestPackageVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "package.json")
	for content, want := range map[string]string{
		`{"version": "0.1.0"}`: "0.1.0", `{"version": "1.0.0-rc.1+5"}`: "1.0.0-rc.1+5",
		`{"version": "1; rm -rf ."}`: "", `{"version": ""}`: "", `{}`: "", `x`: "",
	} {
		write(t, path, content)
		got, err := packageVersion(path)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: got %q, %v", content, got, err)
		}
	}
}

// Only a commit that changes the function gives it another revision.
func TestRevision(t *testing.T) {
	root := t.TempDir()
	git := func(args ...string) string {
		t.Helper()
		args = append([]string{"-C", root, "-c", "user.name=a", "-c", "user.email=a@b.example",
			"-c", "commit.gpgsign=false", "-c", "core.hooksPath=/dev/null"}, args...)
		out, err := exec.Command("git", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	is := func(want, after string) {
		t.Helper()
		if got := revision(root); got != want {
			t.Errorf("after %s: %s, want %s", after, got, want)
		}
	}

	is("unknown", "unpacking an archive")
	git("init", "--quiet")
	is("unknown", "git init")
	function := filepath.Join(root, "lambda", "checktoken", "main.go")
	write(t, function, "package main")
	git("add", ".")
	git("commit", "--quiet", "-m", "one")
	first := git("rev-parse", "HEAD")
	is(first, "the first commit")

	write(t, filepath.Join(root, "README.md"), "x")
	write(t, filepath.Join(root, "internal", "config", "keys.go"), "package config")
	write(t, filepath.Join(root, "lambda", "checktoken", "main_test.go"), "package main")
	is(first, "changes elsewhere")
	git("add", ".")
	git("commit", "--quiet", "-m", "two")
	is(first, "a commit elsewhere")

	write(t, function, "package main // changed")
	is(first+"+dirty", "a change of the function")
	git("commit", "--quiet", "-a", "-m", "three")
	is(git("rev-parse", "HEAD"), "its commit")
	write(t, filepath.Join(root, "internal", "new", "new.go"), "package new")
	is(git("rev-parse", "HEAD")+"+dirty", "a new file")
}

func TestCABundle(t *testing.T) {
	root := t.TempDir()
	cert := string(certificate())
	for name, content := range map[string]string{
		"one.pem":     cert,
		"two.pem":     "# comment\n" + cert + "\n" + cert,
		"empty.pem":   "",
		"text.pem":    "no certificate",
		"garbage.pem": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		"cut.pem":     cert + cert[:len(cert)/2],
		"key.pem":     cert + "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n",
	} {
		write(t, filepath.Join(root, name), content)
	}
	for name, want := range map[string]string{
		"one.pem": "", "two.pem": "", filepath.Join(root, "one.pem"): "",
		"empty.pem": "no certificate", "text.pem": "no certificate", "garbage.pem": "certificate 1",
		"cut.pem": "is broken", "key.pem": `"PRIVATE KEY"`, "missing.pem": "no such file", ".": "directory",
	} {
		path, err := Source{Root: root}.caBundle(name)
		if want == "" {
			if err != nil || !filepath.IsAbs(path) {
				t.Errorf("%s: %q, %v", name, path, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "authCaBundle: ") ||
			strings.ContainsAny(err.Error(), "\n") || strings.Contains(err.Error(), "c2VjcmV0") {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}

	cfg := sample()
	cfg.AuthCABundle = "no-such-file.pem"
	if err := New(awscdk.NewApp(nil), cfg, source); err == nil || !strings.Contains(err.Error(), cfg.AuthCABundle) {
		t.Errorf("New: %v", err)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
