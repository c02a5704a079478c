// oidc-provider says at start that its store is in memory, and which settings have defaults. That is as it should be here.
for (const level of ['warn', 'info']) {
  const write = console[level]
  console[level] = (...text) => (String(text[0]).includes('oidc-provider ') ? undefined : write(...text))
}
