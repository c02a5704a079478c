// Who may do what, on what, under which context keys, in which deployments.

const account = '123456789012'
const otherAccount = '999999999999'
const region = 'us-east-1'
const givenKey = `arn:aws:kms:${region}:${account}:key/22222222-2222-2222-2222-222222222222`
const admins = [`arn:aws:iam::${account}:role/Security`, `arn:aws:iam::${account}:user/kim`]

// The deployments, by the context keys that change the sample's. Together they have each policy in each of its forms.
export const deployments = {
  default: {},
  'created key': { kmsKey: 'create', healthLakeAccess: 'read-only', bulkExport: 's3' },
  'created key, admins': { kmsKey: 'create', secretAdmins: admins, alarmEmail: 'ops@example.org', tracing: true },
  'given key, restricted': {
    kmsKey: givenKey, secretAdmins: admins, alarmEmail: 'ops@example.org', healthLakeAccess: 'read-only',
    restrictInvokeToAccount: true, prefix: '', secretName: 'clinic/idp', bulkExport: 'get',
  },
  'exports to a bucket': { bulkExport: 's3' },
  'in a VPC': { vpcSubnets: ['subnet-0123456789abcdef0'], vpcId: 'vpc-0123456789abcdef0', vpcSecretsEndpoint: true, tracing: true },
}

// Where rows apply. d is a deployment, as deployment.js loads it.
const always = () => true
const withAlarms = (d) => Boolean(d.context.alarmEmail)
const withAdmins = (d) => Boolean(d.context.secretAdmins)
const withoutAdmins = (d) => !withAdmins(d)
const restricted = (d) => Boolean(d.context.restrictInvokeToAccount)
const unrestricted = (d) => !restricted(d)
const withKey = (d) => Boolean(d.context.kmsKey)
const adminsUseKey = (d) => createdKey(d) && withAdmins(d)
const withoutKey = (d) => !withKey(d)
const createdKey = (d) => d.context.kmsKey === 'create'
const tracing = (d) => Boolean(d.context.tracing)
const notTracing = (d) => !tracing(d)
const inVPC = (d) => Boolean(d.context.vpcSubnets)
const readOnly = (d) => d.context.healthLakeAccess === 'read-only'
const readWrite = (d) => !readOnly(d)
const exporting = (d) => Boolean(d.context.bulkExport)
const toBucket = (d) => d.context.bulkExport === 's3'

const everything = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] }
const role = (name, inAccount = account) => ({
  principal: `arn:aws:sts::${inAccount}:assumed-role/${name}/session`, arn: `arn:aws:iam::${inAccount}:role/${name}`,
  account: inAccount,
})

// Who asks. A role of the deployment has the policies that the templates attach to it.
const own = (suffix) => (d) => {
  const name = d.context.prefix + suffix
  return { ...role(name), policies: d.identity[name] ?? [] }
}
export const principals = {
  'the function': own('Lambda-Role'),
  // Its role on the way through the endpoint, whose policy must allow the call too.
  'the function, by the endpoint': (d) => ({ ...own('Lambda-Role')(d), endpoint: d.endpoint }),
  'an administrator, by the endpoint': (d) => ({ ...role('Admin'), policies: [everything], endpoint: d.endpoint }),
  'the settings function': own('Settings-Role'),
  'the service role': own('Role-for-HealthLake'),
  'the read role': own('Role-for-HealthLake-Read'),
  'the export role': own('Role-for-HealthLake-Export'),
  'the read and export role': own('Role-for-HealthLake-Read-Export'),
  'the data access role': own('Role-for-HealthLake-Data-Access'),
  'an administrator': () => ({ ...role('Admin'), policies: [everything] }),
  'the account itself': () => ({ principal: `arn:aws:iam::${account}:root`, account, policies: [everything] }),
  'a role without policies': () => role('Nobody'),
  'the admin role': () => role('Security'),
  'the admin user': () => ({ principal: admins[1], arn: admins[1], account }),
  'another account': () => ({ ...role('Admin', otherAccount), policies: [everything] }),
  "another account's role of the same name": (d) => ({
    ...role(`${d.context.prefix}Lambda-Role`, otherAccount), policies: [everything],
  }),
  anybody: () => ({ anonymous: true }),
}
const services = `apigateway cloudwatch ec2 events healthlake lambda logging.s3 logs.${region} logs.eu-west-2 s3`.split(' ')
for (const service of services) {
  principals[service] = () => ({ principal: `${service}.amazonaws.com`, service: true })
}

// What is asked for.
const logs = (group) => `arn:aws:logs:${region}:${account}:log-group:${group}:log-stream:2026/01/01/live`
const ec2 = (resource) => `arn:aws:ec2:${region}:${account}:${resource}`
export const resources = {
  'the topic': (d) => d.arn.topic,
  'the execution role': (d) => `arn:aws:iam::${account}:role/${d.context.prefix}Lambda-Role`,
  "the settings function's role": (d) => `arn:aws:iam::${account}:role/${d.context.prefix}Settings-Role`,
  'the service role': (d) => `arn:aws:iam::${account}:role/${d.context.prefix}Role-for-HealthLake`,
  'the read role': (d) => `arn:aws:iam::${account}:role/${d.context.prefix}Role-for-HealthLake-Read`,
  'the export role': (d) => `arn:aws:iam::${account}:role/${d.context.prefix}Role-for-HealthLake-Export`,
  'the read and export role': (d) => `arn:aws:iam::${account}:role/${d.context.prefix}Role-for-HealthLake-Read-Export`,
  'the data access role': (d) => `arn:aws:iam::${account}:role/${d.context.prefix}Role-for-HealthLake-Data-Access`,
  'the bucket': () => 'arn:aws:s3:::exports',
  'a file in the bucket': () => 'arn:aws:s3:::exports/exports/Patient.ndjson',
  'its access log': () => 'arn:aws:s3:::access-log',
  'a file of its access log': () => 'arn:aws:s3:::access-log/2026-01-01',
  'another bucket': () => 'arn:aws:s3:::somebody-elses',
  'a file in another bucket': () => 'arn:aws:s3:::somebody-elses/Patient.ndjson',
  'the secret': (d) => d.arn.secret,
  'another secret': () => `arn:aws:secretsmanager:${region}:${account}:secret:payroll-AbCdEf`,
  'the datastore': (d) => d.arn.datastore,
  'another datastore': () => `arn:aws:healthlake:${region}:${account}:datastore/fhir/fedcba9876543210fedcba9876543210`,
  'the key': (d) => d.arn.key ?? givenKey,
  'another key': () => `arn:aws:kms:${region}:${account}:key/33333333-3333-3333-3333-333333333333`,
  'the alias': (d) => d.arn.alias,
  'the function': (d) => d.arn.alias.replace(/:live$/, ''),
  'its version 1': (d) => d.arn.alias.replace(/live$/, '1'),
  'its log': (d) => logs(`/aws/lambda/${d.context.prefix}checkToken`),
  "the settings function's log": (d) => logs(`/aws/lambda/${d.context.prefix}datastoreSettings`),
  'another log': () => logs('/aws/lambda/payroll'),
  anything: () => '*',
  'a network interface': () => ec2('network-interface/eni-0123456789abcdef0'),
  'its subnet': () => ec2('subnet/subnet-0123456789abcdef0'),
  'another subnet': () => ec2('subnet/subnet-fedcba9876543210f'),
  'its security group': () => ec2('security-group/sg-0'),
  'another security group': () => ec2('security-group/sg-fedcba9876543210f'),
}
// A key that somebody brings has the policy that KMS gives to a new one: the account's IAM policies decide.
const accountDecides = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${account}:root` }, Action: 'kms:*', Resource: '*' }],
}
export const resourcePolicies = { [givenKey]: accountDecides, [resources['another key']()]: accountDecides }

// Under which context keys.
const source = (sourceAccount, sourceArn) => () => ({ 'aws:SourceAccount': sourceAccount, 'aws:SourceArn': sourceArn })
const alarm = (name, inAccount = account) => (d) => ({
  'aws:SourceAccount': inAccount,
  'aws:SourceArn': `arn:aws:cloudwatch:${region}:${inAccount}:alarm:${d.context.prefix}checkToken-${name}`,
})
const datastore = (inAccount, inRegion = region) =>
  `arn:aws:healthlake:${inRegion}:${inAccount}:datastore/fhir/0123456789abcdef0123456789abcdef`
const from = (inAccount) => () => ({ 'aws:SourceAccount': inAccount })
const through = (service, more = {}) => () => ({ 'kms:ViaService': service, ...more })
const healthLake = through(`healthlake.${region}.amazonaws.com`)
const secretsManager = through(`secretsmanager.${region}.amazonaws.com`)
const forSecret = (name) => (d) => ({
  ...secretsManager(), 'kms:EncryptionContext:SecretARN': resources[name](d),
})
const otherDatastore = datastore(account).replace('0123', '3210')
const passedTo = (service) => () => ({ 'iam:PassedToService': `${service}.amazonaws.com` })
const forLog = (group) => (d) => ({
  'kms:EncryptionContext:aws:logs:arn': `arn:aws:logs:${region}:${account}:log-group:${group(d)}`,
})
const ofFunction = (d) => `/aws/lambda/${d.context.prefix}checkToken`
const plainHTTP = () => ({ 'aws:SecureTransport': 'false' })

// The actions of HealthLake's data plane that a FHIR request may need (Service Authorization Reference). All others are denied.
const reading = `ExpandValueSetWithGet ExpandValueSetWithPost GetCapabilities GetHistoryByResourceId InquirePreAuthClaim
  LookupCodeSystemWithGet LookupCodeSystemWithPost QuestionnairePackage ReadResource SearchEverything SearchWithGet SearchWithPost
  TranslateConceptMapWithGet TranslateConceptMapWithPost ValidateResource VersionReadResource`.split(/\s+/)
const writing = `ConfirmAttributionList CreateResource DeleteResource GenerateDocumentWithGet GenerateDocumentWithPost MemberAdd
  MemberMatch MemberRemove PatchResource RetrieveAttributionStatus SubmitPreAuthClaim UpdateResource`.split(/\s+/)

const bundle = ['ProcessBundle']
const byGet = ['StartFHIRExportJobWithGet', 'DescribeFHIRExportJobWithGet', 'GetExportedFile', 'CancelFHIRExportJobWithDelete']
const byPost = ['StartFHIRExportJobWithPost']

const topic = [
  ['cloudwatch', 'may', 'sns:Publish', 'the topic', alarm('Slow')],
  ['cloudwatch', 'may', 'sns:Publish', 'the topic', alarm('Timeout')],
  ['cloudwatch', 'may', 'sns:Publish', 'the topic', alarm('Errors')],
  ['cloudwatch', 'may', 'sns:Publish', 'the topic', alarm('Throttled')],
  ['cloudwatch', 'may', 'sns:Publish', 'the topic', alarm('Spillover')],
  ['cloudwatch', 'may', 'sns:Publish', 'the topic', alarm('ProviderDown')],
  ['cloudwatch', 'may not', 'sns:Publish', 'the topic', alarm('OfSomebodyElse')],
  ['cloudwatch', 'may not', 'sns:Publish', 'the topic', alarm('Slow', otherAccount)],
  ['cloudwatch', 'may not', 'sns:Publish', 'the topic'],
  ['cloudwatch', 'may not', 'sns:Publish', 'the topic', (d) => ({ ...alarm('Slow')(d), ...plainHTTP() })],
  ['cloudwatch', 'may not', 'sns:Subscribe', 'the topic', alarm('Slow')],
  ['events', 'may', 'sns:Publish', 'the topic'], // without context keys: EventBridge sends none here
  ['events', 'may not', 'sns:Publish', 'the topic', plainHTTP],
  ['events', 'may not', 'sns:Subscribe', 'the topic'],
  ['s3', 'may not', 'sns:Publish', 'the topic', from(account)],
  ['lambda', 'may not', 'sns:Publish', 'the topic', from(account)],
  ['healthlake', 'may not', 'sns:Publish', 'the topic', from(account)],
  ['the function', 'may not', 'sns:Publish', 'the topic'],
  ['the service role', 'may not', 'sns:Publish', 'the topic'],
  ['a role without policies', 'may not', 'sns:Publish', 'the topic'],
  ['an administrator', 'may not', 'sns:Publish', 'the topic', plainHTTP],
  ['another account', 'may not', 'sns:Publish', 'the topic'],
  ['anybody', 'may not', 'sns:Publish', 'the topic'],
  ['anybody', 'may not', 'sns:Subscribe', 'the topic'],
]

const executionRole = [
  ['lambda', 'may', 'sts:AssumeRole', 'the execution role'],
  ['healthlake', 'may not', 'sts:AssumeRole', 'the execution role', source(account, datastore(account))],
  ['ec2', 'may not', 'sts:AssumeRole', 'the execution role', from(account)],
  ['apigateway', 'may not', 'sts:AssumeRole', 'the execution role', from(account)],
  ['the function', 'may not', 'sts:AssumeRole', 'the execution role'],
  ['the service role', 'may not', 'sts:AssumeRole', 'the execution role'],
  ['an administrator', 'may not', 'sts:AssumeRole', 'the execution role'],
  ['another account', 'may not', 'sts:AssumeRole', 'the execution role'],
]

const settingsRole = [
  ['lambda', 'may', 'sts:AssumeRole', "the settings function's role"],
  ['healthlake', 'may not', 'sts:AssumeRole', "the settings function's role", source(account, datastore(account))],
  ['the function', 'may not', 'sts:AssumeRole', "the settings function's role"],
  ['an administrator', 'may not', 'sts:AssumeRole', "the settings function's role"],
]

// It changes the settings of one datastore, and reaches no record, no secret and no other function.
const settings = (known) => [
  ['the settings function', 'may', 'healthlake:DescribeFHIRDatastore', 'the datastore'],
  ['the settings function', 'may', 'healthlake:UpdateFHIRDatastore', 'the datastore'],
  ['the settings function', 'may not', 'healthlake:DescribeFHIRDatastore', 'another datastore'],
  ['the settings function', 'may not', 'healthlake:UpdateFHIRDatastore', 'another datastore'],
  ...known.filter((name) => !['DescribeFHIRDatastore', 'UpdateFHIRDatastore'].includes(name))
    .map((name) => ['the settings function', 'may not', `healthlake:${name}`, 'the datastore']),
  ['the settings function', 'may not', 'sts:AssumeRole', 'the service role'],
  ['the settings function', 'may not', 'secretsmanager:GetSecretValue', 'the secret'],
  ['the settings function', 'may not', 'lambda:InvokeFunction', 'the alias'],
  ['the settings function', 'may not', 'kms:Decrypt', 'the key', healthLake],
  ['the settings function', 'may', 'logs:CreateLogStream', "the settings function's log"],
  ['the settings function', 'may', 'logs:PutLogEvents', "the settings function's log"],
  ['the settings function', 'may not', 'logs:PutLogEvents', 'its log'],
  ['the function', 'may not', 'logs:PutLogEvents', "the settings function's log"],
]

// trusted are the rows of who may assume a role for FHIR requests.
const trusted = (who) => [
  ['healthlake', 'may', 'sts:AssumeRole', who, source(account, datastore(account))],
  ['healthlake', 'may not', 'sts:AssumeRole', who, source(otherAccount, datastore(otherAccount))],
  ['healthlake', 'may not', 'sts:AssumeRole', who, source(account, datastore(otherAccount))],
  ['healthlake', 'may not', 'sts:AssumeRole', who, source(otherAccount, datastore(account))],
  ['healthlake', 'may not', 'sts:AssumeRole', who, source(account, datastore(account, 'eu-west-2'))],
  ['healthlake', 'may not', 'sts:AssumeRole', who, source(account, `arn:aws:s3:::${account}`)],
  ['healthlake', 'may not', 'sts:AssumeRole', who, from(account)],
  ['healthlake', 'may not', 'sts:AssumeRole', who],
  ['lambda', 'may not', 'sts:AssumeRole', who, source(account, datastore(account))],
  ['the function', 'may not', 'sts:AssumeRole', who],
  ['an administrator', 'may not', 'sts:AssumeRole', who],
  ['another account', 'may not', 'sts:AssumeRole', who],
]

const secret = [
  ['the function', 'may', 'secretsmanager:GetSecretValue', 'the secret'],
  ['the function', 'may not', 'secretsmanager:GetSecretValue', 'another secret'],
  ['the function', 'may not', 'secretsmanager:PutSecretValue', 'the secret'],
  ['the function', 'may not', 'secretsmanager:UpdateSecret', 'the secret'],
  ['the function', 'may not', 'secretsmanager:DescribeSecret', 'the secret'],
  ['the function', 'may not', 'secretsmanager:PutResourcePolicy', 'the secret'],
  ['the service role', 'may not', 'secretsmanager:GetSecretValue', 'the secret'],
  ['an administrator', 'may not', 'secretsmanager:GetSecretValue', 'the secret'],
  ['the account itself', 'may not', 'secretsmanager:GetSecretValue', 'the secret'],
  // An administrator can write it and change its policy. An e-mail tells of both.
  ['an administrator', 'may', 'secretsmanager:PutSecretValue', 'the secret'],
  ['an administrator', 'may', 'secretsmanager:PutResourcePolicy', 'the secret'],
  ['a role without policies', 'may not', 'secretsmanager:PutSecretValue', 'the secret'],
  ['another account', 'may not', 'secretsmanager:GetSecretValue', 'the secret'],
  ['another account', 'may not', 'secretsmanager:PutSecretValue', 'the secret'],
  ["another account's role of the same name", 'may not', 'secretsmanager:GetSecretValue', 'the secret'],
  ['healthlake', 'may not', 'secretsmanager:GetSecretValue', 'the secret', source(account, datastore(account))],
  ['lambda', 'may not', 'secretsmanager:GetSecretValue', 'the secret', from(account)],
  ['anybody', 'may not', 'secretsmanager:GetSecretValue', 'the secret'],
]

const secretWithAdmins = ['the admin role', 'the admin user'].flatMap((who) => [
  [who, 'may', 'secretsmanager:GetSecretValue', 'the secret'],
  [who, 'may', 'secretsmanager:DescribeSecret', 'the secret'],
  [who, 'may', 'secretsmanager:PutSecretValue', 'the secret'],
  [who, 'may', 'secretsmanager:UpdateSecret', 'the secret'],
  [who, 'may', 'secretsmanager:UpdateSecretVersionStage', 'the secret'],
  [who, 'may not', 'secretsmanager:GetSecretValue', 'another secret'],
  [who, 'may not', 'secretsmanager:DeleteSecret', 'the secret'],
  [who, 'may not', 'secretsmanager:PutResourcePolicy', 'the secret'],
])

const secretWithoutAdmins = [
  ['the admin role', 'may not', 'secretsmanager:GetSecretValue', 'the secret'],
  ['the admin user', 'may not', 'secretsmanager:PutSecretValue', 'the secret'],
]

const fhir = (who, actions, verdict, on) => actions.map((name) => [who, verdict, `healthlake:${name}`, on])
const withheld = (known) => known.filter((name) => ![...reading, ...bundle, ...writing, ...byGet, ...byPost].includes(name))

// roleRows are the rows of one role that HealthLake assumes: who may assume it, and what it may do. writes and exports are whether
// its tokens do.
const roleRows = (who, exists, { writes, exports }, known) => [
  [exists, trusted(who)],
  [exists, [
    ...fhir(who, reading, 'may', 'the datastore'),
    ...fhir(who, [...reading, ...bundle, ...writing, ...byGet, ...byPost], 'may not', 'another datastore'),
    ...fhir(who, withheld(known), 'may not', 'the datastore'),
    ...fhir(who, writes ? [] : writing, 'may not', 'the datastore'),
    ...fhir(who, byGet, exports ? 'may' : 'may not', 'the datastore'),
  ]],
  [(d) => exists(d) && readWrite(d), fhir(who, writes ? [...bundle, ...writing] : bundle, 'may', 'the datastore')],
  [(d) => exists(d) && readOnly(d), fhir(who, [...bundle, ...writing], 'may not', 'the datastore')],
  [(d) => exists(d) && exports && toBucket(d), [
    ...fhir(who, byPost, 'may', 'the datastore'),
    [who, 'may', 'iam:PassRole', 'the data access role', passedTo('healthlake')],
    [who, 'may not', 'iam:PassRole', 'the data access role', passedTo('lambda')],
    [who, 'may not', 'iam:PassRole', 'the data access role'],
    [who, 'may not', 'iam:PassRole', 'the execution role', passedTo('healthlake')],
    [who, 'may not', 'iam:PassRole', who, passedTo('healthlake')],
    [who, 'may not', 's3:GetObject', 'a file in the bucket'],
    [who, 'may not', 's3:PutObject', 'a file in the bucket'],
  ]],
  [(d) => exists(d) && !(exports && toBucket(d)), [
    ...fhir(who, byPost, 'may not', 'the datastore'),
    [who, 'may not', 'iam:PassRole', 'the data access role', passedTo('healthlake')],
  ]],
  [(d) => exists(d) && withKey(d), [
    [who, 'may', 'kms:Decrypt', 'the key', healthLake],
    [who, 'may not', 'kms:Decrypt', 'the key'],
  ]],
]

// What HealthLake writes exports with.
const dataAccess = [
  ['healthlake', 'may', 'sts:AssumeRole', 'the data access role', source(account, datastore(account))],
  ['healthlake', 'may not', 'sts:AssumeRole', 'the data access role', source(account, otherDatastore)],
  ['healthlake', 'may not', 'sts:AssumeRole', 'the data access role', source(otherAccount, datastore(otherAccount))],
  ['healthlake', 'may not', 'sts:AssumeRole', 'the data access role', source(otherAccount, datastore(account))],
  ['healthlake', 'may not', 'sts:AssumeRole', 'the data access role', from(account)],
  ['healthlake', 'may not', 'sts:AssumeRole', 'the data access role'],
  ['s3', 'may not', 'sts:AssumeRole', 'the data access role', source(account, datastore(account))],
  ['the export role', 'may not', 'sts:AssumeRole', 'the data access role'],
  ['an administrator', 'may not', 'sts:AssumeRole', 'the data access role'],
  ['another account', 'may not', 'sts:AssumeRole', 'the data access role'],
  ['the data access role', 'may', 's3:PutObject', 'a file in the bucket'],
  ['the data access role', 'may', 's3:ListBucket', 'the bucket'],
  ['the data access role', 'may', 's3:GetBucketPublicAccessBlock', 'the bucket'],
  ['the data access role', 'may', 's3:GetEncryptionConfiguration', 'the bucket'],
  ['the data access role', 'may not', 's3:PutObject', 'a file in the bucket', plainHTTP],
  ['the data access role', 'may not', 's3:PutObject', 'a file in another bucket'],
  ['the data access role', 'may not', 's3:PutObject', 'a file of its access log'],
  ['the data access role', 'may not', 's3:ListBucket', 'another bucket'],
  ['the data access role', 'may not', 's3:GetObject', 'a file in the bucket'],
  ['the data access role', 'may not', 's3:DeleteObject', 'a file in the bucket'],
  ['the data access role', 'may not', 's3:PutBucketPolicy', 'the bucket'],
  ['the data access role', 'may not', 'healthlake:ReadResource', 'the datastore'],
  ['the data access role', 'may', 'kms:DescribeKey', 'the key'],
  ['the data access role', 'may', 'kms:GenerateDataKey', 'the key'],
  ['the data access role', 'may not', 'kms:Decrypt', 'the key'],
  ['the data access role', 'may not', 'kms:GenerateDataKey', 'another key'],
  ['an administrator', 'may', 's3:GetObject', 'a file in the bucket'],
  ['an administrator', 'may', 'kms:Decrypt', 'the key'],
  ['an administrator', 'may not', 's3:GetObject', 'a file in the bucket', plainHTTP],
  ['an administrator', 'may not', 's3:ListBucket', 'the bucket', plainHTTP],
  ['an administrator', 'may not', 's3:GetObject', 'a file of its access log', plainHTTP],
  ['the function', 'may not', 's3:GetObject', 'a file in the bucket'],
  ['a role without policies', 'may not', 's3:GetObject', 'a file in the bucket'],
  ['another account', 'may not', 's3:GetObject', 'a file in the bucket'],
  ['anybody', 'may not', 's3:GetObject', 'a file in the bucket'],
  ['anybody', 'may not', 's3:GetObject', 'a file of its access log'],
  ['logging.s3', 'may', 's3:PutObject', 'a file of its access log', source(account, 'arn:aws:s3:::exports')],
  ['logging.s3', 'may not', 's3:PutObject', 'a file of its access log', source(otherAccount, 'arn:aws:s3:::exports')],
  ['logging.s3', 'may not', 's3:PutObject', 'a file of its access log', source(account, 'arn:aws:s3:::somebody-elses')],
  ['logging.s3', 'may not', 's3:PutObject', 'a file in the bucket', source(account, 'arn:aws:s3:::exports')],
  ['logging.s3', 'may not', 's3:GetObject', 'a file of its access log', source(account, 'arn:aws:s3:::exports')],
]

const records = [
  ['the function', 'may not', 'healthlake:ReadResource', 'the datastore'],
  ['the function', 'may not', 'healthlake:UpdateFHIRDatastore', 'the datastore'],
  ['a role without policies', 'may not', 'healthlake:ReadResource', 'the datastore'],
  ['another account', 'may not', 'healthlake:ReadResource', 'the datastore'],
]

const key = [
  ['the function', 'may', 'kms:Decrypt', 'the key', forSecret('the secret')],
  ['the function', 'may not', 'kms:Decrypt', 'the key', forSecret('another secret')],
  ['the function', 'may not', 'kms:Decrypt', 'the key', secretsManager],
  ['the function', 'may not', 'kms:Decrypt', 'the key', healthLake],
  ['the function', 'may not', 'kms:Decrypt', 'the key'],
  ['the function', 'may not', 'kms:GenerateDataKey', 'the key', forSecret('the secret')],
  ['the function', 'may not', 'kms:Decrypt', 'another key', forSecret('the secret')],
  ['the service role', 'may', 'kms:Decrypt', 'the key', healthLake],
  ['the service role', 'may', 'kms:DescribeKey', 'the key', healthLake],
  ['the service role', 'may', 'kms:GenerateDataKey', 'the key', healthLake],
  ['the service role', 'may not', 'kms:Decrypt', 'the key'],
  ['the service role', 'may not', 'kms:Decrypt', 'the key', through('healthlake.eu-west-2.amazonaws.com')],
  ['the service role', 'may not', 'kms:Decrypt', 'the key', through('healthlake.amazonaws.com')],
  ['the service role', 'may not', 'kms:Decrypt', 'the key', forSecret('the secret')],
  ['the service role', 'may not', 'kms:Encrypt', 'the key', healthLake],
  ['the service role', 'may not', 'kms:CreateGrant', 'the key', healthLake],
  ['the service role', 'may not', 'kms:ScheduleKeyDeletion', 'the key'],
  ['the service role', 'may not', 'kms:Decrypt', 'another key', healthLake],
  // Who creates the datastore is one of the account's principals, with rights of its own.
  ['an administrator', 'may', 'kms:CreateGrant', 'the key', healthLake],
  ['an administrator', 'may', 'kms:PutKeyPolicy', 'the key'],
  ['a role without policies', 'may not', 'kms:Decrypt', 'the key', healthLake],
  ['another account', 'may not', 'kms:Decrypt', 'the key', healthLake],
  ["another account's role of the same name", 'may not', 'kms:Decrypt', 'the key', forSecret('the secret')],
  ['healthlake', 'may not', 'kms:Decrypt', 'the key', source(account, datastore(account))],
]

const logService = `logs.${region}`
const keyOfLog = [
  ...['Decrypt', 'Encrypt', 'GenerateDataKey', 'ReEncryptFrom', 'ReEncryptTo'].map((name) =>
    [logService, 'may', `kms:${name}`, 'the key', forLog(ofFunction)]),
  [logService, 'may not', 'kms:Decrypt', 'the key', forLog(() => '/aws/lambda/payroll')],
  [logService, 'may not', 'kms:Decrypt', 'the key'],
  [logService, 'may not', 'kms:CreateGrant', 'the key', forLog(ofFunction)],
  ['logs.eu-west-2', 'may not', 'kms:Decrypt', 'the key', forLog(ofFunction)],
]

const keyOfAdmins = ['the admin role', 'the admin user'].flatMap((who) => [
  [who, 'may', 'kms:Decrypt', 'the key', forSecret('the secret')],
  [who, 'may', 'kms:GenerateDataKey', 'the key', forSecret('the secret')],
  [who, 'may not', 'kms:Decrypt', 'the key', healthLake],
  [who, 'may not', 'kms:Decrypt', 'the key'],
  [who, 'may not', 'kms:CreateGrant', 'the key', secretsManager],
])

const noKey = [
  ['the function', 'may not', 'kms:Decrypt', 'the key', forSecret('the secret')],
  ['the service role', 'may not', 'kms:Decrypt', 'the key', healthLake],
]

const alias = [
  ['healthlake', 'may', 'lambda:InvokeFunction', 'the alias', from(account)],
  ['healthlake', 'may not', 'lambda:InvokeFunction', 'the function', from(account)],
  ['healthlake', 'may not', 'lambda:InvokeFunction', 'its version 1', from(account)],
  ['healthlake', 'may not', 'lambda:UpdateFunctionCode', 'the function', from(account)],
  ['apigateway', 'may not', 'lambda:InvokeFunction', 'the alias', from(account)],
  ['events', 'may not', 'lambda:InvokeFunction', 'the alias', from(account)],
  ['the function', 'may not', 'lambda:InvokeFunction', 'the alias'],
  ['the service role', 'may not', 'lambda:InvokeFunction', 'the alias'],
  ['a role without policies', 'may not', 'lambda:InvokeFunction', 'the alias'],
  ['another account', 'may not', 'lambda:InvokeFunction', 'the alias'],
]

const log = [
  ['the function', 'may', 'logs:CreateLogStream', 'its log'],
  ['the function', 'may', 'logs:PutLogEvents', 'its log'],
  ['the function', 'may not', 'logs:CreateLogStream', 'another log'],
  ['the function', 'may not', 'logs:PutLogEvents', 'another log'],
  ['the function', 'may not', 'logs:GetLogEvents', 'its log'],
  ['the function', 'may not', 'logs:DeleteLogStream', 'its log'],
  ['the service role', 'may not', 'logs:PutLogEvents', 'its log'],
]

// Lambda makes the function's network interfaces, as the function's role; the same calls of the function's own code are denied.
const byItsCode = (d) => ({ 'lambda:SourceFunctionArn': resources['the function'](d) })
const byOtherCode = (d) => ({ 'lambda:SourceFunctionArn': `${resources['the function'](d)}-2` })
const interfaces = [
  ['AssignPrivateIpAddresses', 'a network interface'], ['DeleteNetworkInterface', 'a network interface'],
  ['UnassignPrivateIpAddresses', 'a network interface'], ['CreateNetworkInterface', 'a network interface'],
  ['CreateNetworkInterface', 'its subnet'], ['CreateNetworkInterface', 'its security group'],
  ['DescribeNetworkInterfaces', 'anything'], ['DescribeSubnets', 'anything'],
]
const network = [
  ...interfaces.flatMap(([name, on]) => [
    ['the function', 'may', `ec2:${name}`, on],
    ['the function', 'may not', `ec2:${name}`, on, byItsCode],
  ]),
  ['the function', 'may', 'ec2:DeleteNetworkInterface', 'a network interface', byOtherCode],
  ['the function', 'may not', 'ec2:CreateNetworkInterface', 'another subnet'],
  ['the function', 'may not', 'ec2:CreateNetworkInterface', 'another security group'],
  ['the function', 'may not', 'ec2:AttachNetworkInterface', 'a network interface'],
  ['the function', 'may not', 'ec2:ModifyNetworkInterfaceAttribute', 'a network interface'],
  ['the function', 'may not', 'ec2:AuthorizeSecurityGroupEgress', 'its security group'],
  ['the function, by the endpoint', 'may', 'secretsmanager:GetSecretValue', 'the secret'],
  ['the function, by the endpoint', 'may not', 'secretsmanager:GetSecretValue', 'another secret'],
  ['an administrator, by the endpoint', 'may not', 'secretsmanager:DescribeSecret', 'the secret'],
  ['an administrator, by the endpoint', 'may not', 'secretsmanager:GetSecretValue', 'another secret'],
  ['an administrator', 'may', 'secretsmanager:GetSecretValue', 'another secret'],
]
const noNetwork = interfaces.map(([name, on]) => ['the function', 'may not', `ec2:${name}`, on])

const trace = (verdict) => ['PutTraceSegments', 'PutTelemetryRecords'].map((name) => ['the function', verdict, `xray:${name}`, 'anything'])

// sections returns the rows by the deployments that they apply to. known are all actions that HealthLake has on a datastore.
export const sections = (known) => [
  [always, [...executionRole, ...settingsRole, ...secret, ...records, ...alias, ...log]],
  [withAlarms, topic],
  [withAdmins, secretWithAdmins],
  [withoutAdmins, secretWithoutAdmins],
  [withKey, key],
  [withoutKey, noKey],
  [createdKey, keyOfLog],
  [adminsUseKey, keyOfAdmins],
  [(d) => !adminsUseKey(d), [['the admin role', 'may not', 'kms:Decrypt', 'the key', forSecret('the secret')]]],
  [always, settings(known)],
  ...roleRows('the service role', always, { writes: true }, known),
  ...roleRows('the read role', always, {}, known),
  ...roleRows('the export role', exporting, { writes: true, exports: true }, known),
  ...roleRows('the read and export role', exporting, { exports: true }, known),
  [toBucket, dataAccess],
  [inVPC, network],
  [(d) => !inVPC(d), noNetwork],
  [tracing, [...trace('may'), ['the function', 'may not', 'xray:GetTraceSummaries', 'anything']]],
  [notTracing, trace('may not')],
  [restricted, [
    ['healthlake', 'may not', 'lambda:InvokeFunction', 'the alias', from(otherAccount)],
    ['healthlake', 'may not', 'lambda:InvokeFunction', 'the alias'],
  ]],
  [unrestricted, [
    ['healthlake', 'may', 'lambda:InvokeFunction', 'the alias', from(otherAccount)],
    ['healthlake', 'may', 'lambda:InvokeFunction', 'the alias'],
  ]],
]
