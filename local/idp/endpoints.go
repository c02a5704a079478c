package idp

import (
	"crypto/subtle"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/ory/fosite"
)

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /oauth2/auth", s.serveAuthorize)
	mux.HandleFunc("POST /oauth2/token", s.serveToken)
	mux.HandleFunc("POST /oauth2/revoke", s.serveRevoke)
	mux.HandleFunc("POST /admin/oauth2/introspect", s.serveIntrospect)
	mux.HandleFunc("GET /.well-known/jwks.json", s.serveKeys)
	return mux
}

// serveAuthorize logs in the user of the registered launch and gives consent to all that was asked.
func (s *Server) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	request, err := s.provider.NewAuthorizeRequest(ctx, r)
	if err != nil {
		s.provider.WriteAuthorizeError(ctx, w, request, err)
		return
	}
	s.mu.Lock()
	id := r.URL.Query().Get("launch")
	launch, known := s.launches[id]
	delete(s.launches, id)
	s.mu.Unlock()
	if !known {
		s.provider.WriteAuthorizeError(ctx, w, request, fosite.ErrLoginRequired)
		return
	}
	grantAll(request)
	// The session gets a map of its own: fosite keeps it.
	session := &fosite.DefaultSession{Subject: launch.Subject, Extra: maps.Clone(launch.Ext)}
	response, err := s.provider.NewAuthorizeResponse(ctx, request, session)
	if err != nil {
		s.provider.WriteAuthorizeError(ctx, w, request, err)
		return
	}
	s.provider.WriteAuthorizeResponse(ctx, w, request, response)
}

func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	session := new(fosite.DefaultSession)
	request, err := s.provider.NewAccessRequest(ctx, r, session)
	if err != nil {
		s.provider.WriteAccessError(ctx, w, request, err)
		return
	}
	if request.GetGrantTypes().ExactOne("client_credentials") {
		session.Subject = request.GetClient().GetID()
		grantAll(request)
	}
	response, err := s.provider.NewAccessResponse(ctx, request)
	if err != nil {
		s.provider.WriteAccessError(ctx, w, request, err)
		return
	}
	s.provider.WriteAccessResponse(ctx, w, request, response)
}

func grantAll(r fosite.Requester) {
	for _, scope := range r.GetRequestedScopes() {
		r.GrantScope(scope)
	}
	for _, audience := range r.GetRequestedAudience() {
		r.GrantAudience(audience)
	}
}

func (s *Server) serveRevoke(w http.ResponseWriter, r *http.Request) {
	s.provider.WriteRevocationResponse(r.Context(), w, s.provider.NewRevocationRequest(r.Context(), r))
}

// introspection is ORY Hydra's answer for an active token.
type introspection struct {
	Active    bool           `json:"active"`
	Scope     string         `json:"scope,omitempty"`
	ClientID  string         `json:"client_id"`
	Subject   string         `json:"sub"`
	ExpiresAt int64          `json:"exp"`
	IssuedAt  int64          `json:"iat"`
	NotBefore int64          `json:"nbf"`
	Audience  []string       `json:"aud"`
	Issuer    string         `json:"iss"`
	TokenType string         `json:"token_type"`
	TokenUse  string         `json:"token_use"`
	Ext       map[string]any `json:"ext,omitempty"`
}

func (s *Server) serveIntrospect(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests++
	if conn, ok := r.Context().Value(connKey{}).(net.Conn); ok {
		s.connections[conn] = true
	}
	s.mu.Unlock()

	if err := r.ParseForm(); err != nil || r.PostForm.Get("token") == "" {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": "invalid_request"})
		return
	}
	if !s.authenticated(r) {
		w.Header().Set("WWW-Authenticate", "Bearer")
		writeJSON(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client"})
		return
	}
	use, request, err := s.provider.IntrospectToken(r.Context(), r.PostForm.Get("token"),
		fosite.TokenUse(r.PostForm.Get("token_type_hint")), new(fosite.DefaultSession))
	if err != nil { // not a token, or no longer one: RFC 7662 section 2.2 says nothing more of it
		writeJSON(w, http.StatusOK, map[string]bool{"active": false})
		return
	}
	session := request.GetSession()
	answer := introspection{
		Active:    true,
		Scope:     strings.Join(request.GetGrantedScopes(), " "),
		ClientID:  request.GetClient().GetID(),
		Subject:   session.GetSubject(),
		ExpiresAt: session.GetExpiresAt(use).Unix(),
		IssuedAt:  request.GetRequestedAt().Unix(),
		NotBefore: request.GetRequestedAt().Unix(),
		Audience:  append([]string{}, request.GetGrantedAudience()...), // [] and not null, as Hydra has it
		Issuer:    s.URL(),
		TokenUse:  string(use),
	}
	if use == fosite.AccessToken {
		answer.TokenType = "Bearer"
	}
	if extra, ok := session.(*fosite.DefaultSession); ok {
		answer.Ext = extra.Extra
	}
	writeJSON(w, http.StatusOK, answer)
}

// authenticated checks the caller's credentials, and that it sends no others.
func (s *Server) authenticated(r *http.Request) bool {
	header, form := r.Header.Get("Authorization"), r.PostForm
	inForm := form.Has("client_id") || form.Has("client_secret")
	switch s.cfg.Auth {
	case AuthNone:
		return header == "" && !inForm
	case AuthBearer:
		key, isBearer := strings.CutPrefix(header, "Bearer ")
		return isBearer && !inForm && same(key, s.cfg.APIKey)
	case AuthBasic:
		id, secret, isBasic := r.BasicAuth()
		id, idErr := url.QueryUnescape(id)
		secret, secretErr := url.QueryUnescape(secret)
		return isBasic && !inForm && idErr == nil && secretErr == nil &&
			same(id, s.cfg.ClientID) && same(secret, s.cfg.ClientSecret)
	case AuthPost:
		return header == "" && same(form.Get("client_id"), s.cfg.ClientID) &&
			same(form.Get("client_secret"), s.cfg.ClientSecret)
	}
	return false
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
