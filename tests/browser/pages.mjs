// Every page, as a list of names and addresses.
export const pages = ({ pool = 'gpu', resource = 'gpu-1', lease = 7, wait = 1, event = 20, works = {} } = {}) => {
  const e = encodeURIComponent
  return {
    mine: '/',
    pools: '/pools',
    pool: `/pools/${e(pool)}?window=1h`,
    resources: '/resources',
    resource: `/resources/${e(resource)}?window=1h`,
    edit: `/resources/${e(resource)}/edit`,
    bulk: `/bulk?q=${e('pool:gpu')}`,
    'lease-form': `/lease?pool=${e(pool)}`,
    'target-form': `/lease?target=${e(resource)}`,
    leases: '/leases',
    'ended-leases': '/leases?q=is:ended',
    lease: `/leases/${lease}`,
    force: `/leases/${lease}/force`,
    queue: '/queue',
    request: `/queue/${wait}`,
    events: '/events',
    event: `/events/${event}`,
    jobs: '/jobs',
    ...works,
    'bad-job-filter': '/jobs?q=nonsense:1',
    plugins: '/plugins',
    status: '/status',
    help: '/help',
    me: '/me',
    'not-found': '/leases/999999',
    'bad-filter': '/resources?q=nonsense:1',
    nothing: '/resources?q=zzzzzz',
  }
}
