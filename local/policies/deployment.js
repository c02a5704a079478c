// A deployment as IAM sees it: the policies of the synthesized templates, with CloudFormation's functions resolved to fixed ARNs.
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'

const root = path.resolve(import.meta.dirname, '../..')

// synthesize runs the CDK app with the sample context and some changes to it, and returns the templates.
async function synthesize(app, changes) {
  const read = async (file) => JSON.parse(await readFile(path.join(root, file)))
  const context = {
    ...(await read('cdk.json')).context,
    ...(await read('cdk.context.json')),
    ...changes,
    'aws:cdk:bundling-stacks': [], // the function need not be compiled for this
  }
  const out = await mkdtemp(path.join(tmpdir(), 'policies-'))
  try {
    // The CDK's own rules for templates would take most of the time; the tests of the stacks have them checked.
    const env = { ...process.env, CDK_CONTEXT_JSON: JSON.stringify(context), CDK_OUTDIR: out, CDK_VALIDATION: 'false' }
    await promisify(execFile)(app, [], { cwd: root, env })
    const files = (await readdir(out)).filter((name) => name.endsWith('.template.json'))
    return {
      context,
      templates: await Promise.all(files.map(async (name) => JSON.parse(await readFile(path.join(out, name))))),
    }
  } finally {
    await rm(out, { recursive: true })
  }
}

// arns are the ARNs that AWS would give to resources whose names it makes, and those that Fn::GetAtt returns.
function arnsOf({ account, region }) {
  const arn = (service, resource) => `arn:aws:${service}:${region}:${account}:${resource}`
  return {
    'AWS::CloudWatch::Alarm': (p) => arn('cloudwatch', `alarm:${p.AlarmName}`),
    'AWS::HealthLake::FHIRDatastore': () => arn('healthlake', 'datastore/fhir/0123456789abcdef0123456789abcdef'),
    'AWS::IAM::Role': (p) => `arn:aws:iam::${account}:role/${p.RoleName}`,
    'AWS::KMS::Key': () => arn('kms', 'key/11111111-1111-1111-1111-111111111111'),
    'AWS::Lambda::Alias': (p, value) => `${arn('lambda', `function:${value(p.FunctionName)}`)}:${p.Name}`,
    'AWS::Lambda::Function': (p) => arn('lambda', `function:${p.FunctionName}`),
    'AWS::Logs::LogGroup': (p) => arn('logs', `log-group:${p.LogGroupName}:*`),
    'AWS::SecretsManager::Secret': (p) => arn('secretsmanager', `secret:${p.Name}-AbCdEf`),
    'AWS::SNS::Topic': () => arn('sns', 'alarms'),
    // The bucket that has another one's access log is the one that names none.
    'AWS::EC2::SecurityGroup': () => arn('ec2', 'security-group/sg-0'),
    'AWS::S3::Bucket': (p) => `arn:aws:s3:::${p.LoggingConfiguration ? 'exports' : 'access-log'}`,
  }
}

// What Ref returns where it is not the ARN.
const refs = {
  'AWS::IAM::Role': (p) => p.RoleName, 'AWS::Lambda::Function': (p) => p.FunctionName,
  'AWS::S3::Bucket': (p) => arnsOf({})['AWS::S3::Bucket'](p).split(':').pop(),
}

// resolver returns a function that resolves a value of a template as CloudFormation would. What it does not know is an error.
function resolver(templates, context) {
  const arns = arnsOf(context)
  const exported = templates.flatMap((t) => Object.values(t.Outputs ?? {}).map((o) => [o.Export?.Name, o.Value, t]))
  const resolve = (template) => {
    const value = (v) => {
      if (Array.isArray(v)) return v.map(value)
      if (v === null || typeof v !== 'object') return v
      const [[name, argument], ...more] = Object.entries(v)
      if (more.length === 0 && name === 'Fn::ImportValue') {
        const [, imported, from] = exported.find(([exportName]) => exportName === argument)
        return resolve(from)(imported)
      }
      if (more.length === 0 && name === 'Fn::Join') return argument[1].map(value).join(argument[0])
      if (more.length === 0 && name === 'Fn::If') {
        const [condition, yes, no] = argument
        const [one, other] = template.Conditions[condition]['Fn::Equals'].map(value)
        return value(one === other ? yes : no)
      }
      if (more.length === 0 && (name === 'Ref' || name === 'Fn::GetAtt')) {
        const [id, attribute] = [argument].flat()
        if (name === 'Ref' && template.Parameters?.[id]?.Default !== undefined) return template.Parameters[id].Default
        const { Type, Properties } = template.Resources[id] ?? {}
        if (Type === 'AWS::EC2::SecurityGroup' && attribute === 'GroupId') return 'sg-0'
        const known = name === 'Ref' ? (refs[Type] ?? arns[Type]) : /Arn$/.test(attribute) && arns[Type]
        if (!known) throw new Error(`cannot resolve ${JSON.stringify(v)} of type ${Type}`)
        return known(Properties, value)
      }
      if (name.startsWith('Fn::')) throw new Error(`cannot resolve ${JSON.stringify(v)}`)
      return Object.fromEntries(Object.entries(v).map(([key, inner]) => [key, value(inner)]))
    }
    return value
  }
  return resolve
}

// load synthesizes a deployment; see deploymentOf.
export async function load(app, changes) {
  const { context, templates } = await synthesize(app, changes)
  return deploymentOf(context, templates)
}

// deploymentOf returns a deployment: its account and region, the ARNs of its resources, its policies by who or what has them,
// and the datastore's properties.
export function deploymentOf(context, templates) {
  const resolve = resolver(templates, context)
  const deployment = { context, arn: {}, identity: {}, resource: {} }
  // of returns the resources of a type: the ARN, and a function that resolves a property.
  const of = (type) => templates.flatMap((template) =>
    Object.values(template.Resources).filter((r) => r.Type === type).map(({ Properties }) => ({
      arn: arnsOf(context)[type]?.(Properties, resolve(template)),
      get: (property) => resolve(template)(Properties[property]),
    })))

  for (const role of of('AWS::IAM::Role')) deployment.resource[role.arn] = role.get('AssumeRolePolicyDocument')
  for (const policy of of('AWS::IAM::ManagedPolicy')) {
    for (const role of policy.get('Roles')) (deployment.identity[role] ??= []).push(policy.get('PolicyDocument'))
  }
  for (const policy of of('AWS::SecretsManager::ResourcePolicy')) {
    deployment.resource[policy.get('SecretId')] = policy.get('ResourcePolicy')
  }
  for (const policy of of('AWS::SNS::TopicPolicy')) {
    for (const topic of policy.get('Topics')) deployment.resource[topic] = policy.get('PolicyDocument')
  }
  for (const policy of of('AWS::S3::BucketPolicy')) {
    deployment.resource[`arn:aws:s3:::${policy.get('Bucket')}`] = policy.get('PolicyDocument')
  }
  for (const endpoint of of('AWS::EC2::VPCEndpoint')) deployment.endpoint = endpoint.get('PolicyDocument')
  for (const key of of('AWS::KMS::Key')) deployment.resource[key.arn] = key.get('KeyPolicy')
  for (const permission of of('AWS::Lambda::Permission')) {
    const document = (deployment.resource[permission.get('FunctionName')] ??= { Version: '2012-10-17', Statement: [] })
    document.Statement.push(permissionStatement(permission.get))
  }
  for (const type of ['AWS::IAM::Policy', 'AWS::IAM::UserPolicy', 'AWS::SQS::QueuePolicy']) {
    if (of(type).length > 0) throw new Error(`${type}: nothing here evaluates it yet`)
  }

  const first = (type) => of(type)[0]?.arn
  deployment.serviceRoles = of('AWS::IAM::Role').map(({ arn }) => arn).filter((arn) => arn.includes('Role-for-HealthLake'))
  deployment.datastore = of('AWS::HealthLake::FHIRDatastore')[0]?.get
  deployment.arn = {
    topic: first('AWS::SNS::Topic'), secret: first('AWS::SecretsManager::Secret'), key: first('AWS::KMS::Key'),
    datastore: first('AWS::HealthLake::FHIRDatastore'), alias: first('AWS::Lambda::Alias'),
  }
  return deployment
}

// permissionStatement is a permission as it is in the function's policy.
function permissionStatement(get) {
  const condition = {
    ...(get('SourceAccount') && { StringEquals: { 'aws:SourceAccount': get('SourceAccount') } }),
    ...(get('SourceArn') && { ArnLike: { 'aws:SourceArn': get('SourceArn') } }),
  }
  return {
    Effect: 'Allow', Principal: { Service: get('Principal') }, Action: get('Action'), Resource: get('FunctionName'),
    ...(Object.keys(condition).length > 0 && { Condition: condition }),
  }
}
