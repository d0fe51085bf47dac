using Millrace.Storage.Jobs;

namespace Millrace.Storage.Tests;

/// <summary>Walks every write of the store from every state, and holds what happened against the table.</summary>
public abstract partial class JobStoreConformance
{
    [Fact]
    public async Task Given_a_job_in_each_state_When_every_write_is_tried_Then_exactly_the_legal_transitions_happen()
    {
        var seen = new HashSet<(JobState, JobState)>();
        foreach (var (from, build) in Starts())
        {
            foreach (var (write, act) in Writes())
            {
                var (job, fence) = await build($"{from}-{write}");
                var before = await ReadAsync(job.Id);
                await act(before, fence);
                if (await Store.Jobs.ReadAsync("a", job.Id, Cancellation) is not { } after)
                {
                    Assert.True(before.State.IsFinal(), $"{write} removed a job that was {from}");
                    continue;
                }
                if (after.State == before.State)
                    continue;
                Assert.True(JobTransitions.Legal.Contains((before.State, after.State)), $"{write} led from {from} to {after.State}");
                Assert.True(after.Version > before.Version, $"{write} from {from} to {after.State} kept the version");
                seen.Add((before.State, after.State));
            }
        }
        Assert.Equal(JobTransitions.Legal.Order(), seen.Order());
    }

    private Dictionary<string, Func<string, Task<(Job Job, Fence Fence)>>> Starts() => new()
    {
        ["queued"] = async model => (await AddAsync(New(model: model)), new Fence(0)),
        ["queued again"] = async model =>
        {
            var claim = await RunningAsync(New(model: model));
            await FailAsync(claim);
            await RefillAsync();
            return (await ReadAsync(claim.Id), claim.Fence);
        },
        ["running"] = async model => await StartAsync(model, attempts: 3),
        ["running last"] = async model => await StartAsync(model, attempts: 1),
        ["succeeded"] = model => EndAsync(model, c => SucceedAsync(c, 1)),
        ["failed"] = model => EndAsync(model, c => FailAsync(c, retryable: false)),
        ["canceled"] = model => EndAsync(model, c => CancelAsync(c.Id)),
        ["expired"] = async model =>
        {
            var job = await AddAsync(New(model: model) with { ExpiresIn = TimeSpan.FromSeconds(1) });
            await PassAsync(TimeSpan.FromSeconds(1));
            await ExpireAsync();
            return (job, new Fence(0));
        },
    };

    private Dictionary<string, Func<Job, Fence, Task>> Writes() => new()
    {
        ["claim"] = (job, _) => ClaimAsync(job),
        ["succeed"] = (job, fence) => FinishAsync(new AttemptEnd.Succeeded(job.Id, fence, new byte[] { 1 })),
        ["fail"] = (job, fence) => FinishAsync(Failed(job, fence, retryable: false)),
        ["retry"] = (job, fence) => FinishAsync(Failed(job, fence, retryable: true)),
        ["give back"] = (job, fence) => FinishAsync(new AttemptEnd.GivenBack(job.Id, fence)),
        ["renew"] = (job, fence) => Store.Claims.RenewAsync([(job.Id, fence)], Lease, Cancellation),
        ["refill"] = (_, _) => RefillAsync(),
        ["cancel"] = (job, _) => CancelAsync(job.Id),
        ["delete"] = (job, _) => Store.Jobs.DeleteAsync("a", job.Id, Cancellation),
        ["take back"] = async (_, _) =>
        {
            await PassAsync(Lease + TimeSpan.FromSeconds(1));
            await TakeBackAsync();
        },
        ["expire"] = async (_, _) =>
        {
            await PassAsync(TimeSpan.FromHours(7));
            while ((await ExpireAsync()).Count > 0) { }
        },
        ["purge"] = async (_, _) =>
        {
            await PassAsync(TimeSpan.FromDays(2));
            while (await PurgeAsync(TimeSpan.FromDays(1)) > 0) { }
        },
    };

    private async Task<(Job, Fence)> StartAsync(string model, int attempts)
    {
        var claim = await RunningAsync(New(model: model, attempts: attempts));
        return (await ReadAsync(claim.Id), claim.Fence);
    }

    private async Task<(Job, Fence)> EndAsync(string model, Func<ClaimedJob, Task> end)
    {
        var claim = await RunningAsync(New(model: model));
        await end(claim);
        return (await ReadAsync(claim.Id), claim.Fence);
    }

    private static AttemptEnd.Failed Failed(Job job, Fence fence, bool retryable) =>
        new(job.Id, fence, new JobError(JobErrorCodes.ModelError, "It failed.", job.Attempt, retryable), TimeSpan.Zero, "print");
}
