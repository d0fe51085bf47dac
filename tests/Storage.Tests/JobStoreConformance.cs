using Microsoft.Extensions.Time.Testing;
using Millrace.Storage.Access;
using Millrace.Storage.Announcements;
using Millrace.Storage.Audit;
using Millrace.Storage.DeadLetters;
using Millrace.Storage.Jobs;
using Millrace.Storage.Models;
using Millrace.Storage.Queues;
using Millrace.Storage.Rates;
using Millrace.Storage.Replays;
using Millrace.Storage.Secrets;

namespace Millrace.Storage.Tests;

/// <summary>The interfaces of one store, all over the same data.</summary>
public sealed record Stores(
    IJobStore Jobs, IDispatchStore Dispatch, IClaimStore Claims, IRepairStore Repair, IAnnouncementStore Announcements, ISecretStore Secrets,
    IQueueStore Queues, IReplayStore Replays, IDeadLetterStore DeadLetters,
    IKeyStore Keys, IAuditStore Audit, IRateStore Rates, IModelStore Models);

/// <summary>What every store must do; each file of this class tells one part of it.</summary>
public abstract partial class JobStoreConformance : IAsyncLifetime
{
    protected const string Model = "m";
    protected static readonly TimeSpan Lease = TimeSpan.FromSeconds(30);
    private static readonly DateTimeOffset Start = new(2030, 1, 31, 12, 0, 0, TimeSpan.Zero);
    private Stores? _stores;

    protected FakeTimeProvider Time { get; } = new(Start);

    protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    protected Stores Store => _stores ?? throw new InvalidOperationException("The store is not open.");

    /// <summary>Opens the store; when it is open, closes it first and opens it again over the same data.</summary>
    protected abstract Task<Stores> OpenAsync(int window);

    /// <summary>Lets time pass as the store sees it.</summary>
    protected virtual Task PassAsync(TimeSpan time)
    {
        Time.Advance(time);
        return Task.CompletedTask;
    }

    public async ValueTask InitializeAsync() => await ReopenAsync();

    public virtual ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }

    protected async Task ReopenAsync(int window = 1000) => _stores = await OpenAsync(window);

    protected static NewJob New(string tenant = "a", string model = Model, int priority = 5, int attempts = 3) => new()
    {
        Tenant = tenant,
        Model = model,
        ModelVersion = "1",
        Priority = priority,
        MaxAttempts = attempts,
        Timeout = TimeSpan.FromSeconds(60),
        ExpiresIn = TimeSpan.FromHours(6),
        ResultTtl = TimeSpan.FromDays(1),
        Input = new byte[] { 1, 2, 3 },
    };

    protected static AuditEntry Entry(string action = "test.act", string target = "it") => new("somebody", "a", action, target, "request-1");

    protected static IdempotencyKey Key(string key, byte body = 1) => new("POST /v1/jobs", key, new[] { body });

    /// <summary>Each is a millisecond younger than the one before.</summary>
    protected async Task<Job> AddAsync(NewJob job) => (await AddedAsync(job)).Job;

    protected async Task<AddOutcome.Added> AddedAsync(NewJob job)
    {
        await PassAsync(TimeSpan.FromMilliseconds(1));
        return Assert.IsType<AddOutcome.Added>(await Store.Jobs.AddAsync(job, Cancellation));
    }

    protected Task<IReadOnlyList<ClaimedJob>> ClaimAsync(params Job[] tickets) =>
        Store.Claims.ClaimAsync(tickets[0].Model, tickets.Select(t => t.Id.Value).ToArray(), "worker", Lease, Cancellation);

    protected async Task<ClaimedJob> ClaimOneAsync(Job job) => Assert.Single(await ClaimAsync(job));

    protected async Task<ClaimedJob> RunningAsync(NewJob job) => await ClaimOneAsync(await AddAsync(job));

    protected async Task<FinishOutcome> FinishAsync(AttemptEnd end) => Assert.Single(await Store.Claims.FinishAsync([end], Cancellation));

    protected Task<FinishOutcome> SucceedAsync(ClaimedJob claim, params byte[] result) =>
        FinishAsync(new AttemptEnd.Succeeded(claim.Id, claim.Fence, result));

    protected Task<FinishOutcome> FailAsync(ClaimedJob claim, bool retryable = true, TimeSpan backoff = default) => FinishAsync(
        new AttemptEnd.Failed(
            claim.Id, claim.Fence, new JobError(JobErrorCodes.ModelError, "It failed.", claim.Attempt, retryable), backoff, "print"));

    protected Task<FinishOutcome> GiveBackAsync(ClaimedJob claim) => FinishAsync(new AttemptEnd.GivenBack(claim.Id, claim.Fence));

    protected Task<CancelOutcome?> CancelAsync(JobId id, string tenant = "a") =>
        Store.Jobs.CancelAsync(tenant, id, JobErrorCodes.CanceledByClient, Cancellation);

    protected async Task<Job> ReadAsync(JobId id, string tenant = "a") =>
        await Store.Jobs.ReadAsync(tenant, id, Cancellation) ?? throw new InvalidOperationException($"There is no job {id}.");

    protected Task<ReadOnlyMemory<byte>?> ReadResultAsync(JobId id) => Store.Jobs.ReadResultAsync("a", id, Cancellation);

    protected async Task<IReadOnlyList<Guid>> RefillAsync(int atMost = 1000) =>
        (await Store.Dispatch.RefillAsync(atMost, Cancellation)).Select(t => t.JobId).ToArray();

    protected Task<IReadOnlyList<RepairedJob>> TakeBackAsync() => Store.Repair.TakeBackAsync(100, Cancellation);

    protected Task<IReadOnlyList<RepairedJob>> ExpireAsync() => Store.Repair.ExpireAsync(100, Cancellation);

    protected Task<int> PurgeAsync(TimeSpan keepRows) => Store.Repair.PurgeAsync(keepRows, 100, Cancellation);
}
