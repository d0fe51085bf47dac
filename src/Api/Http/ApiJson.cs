using System.Text.Json.Serialization;
using Millrace.Api.Access;
using Millrace.Api.Chaos;
using Millrace.Api.DeadLetters;
using Millrace.Api.Errors;
using Millrace.Api.Failures;
using Millrace.Api.Jobs;
using Millrace.Api.Limits;
using Millrace.Api.Models;
using Millrace.Api.Queues;
using Millrace.Api.Replays;
using Millrace.Api.Traffic;

namespace Millrace.Api.Http;

/// <summary>What the API writes, in snake_case.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ProtocolError))]
[JsonSerializable(typeof(Problem))]
[JsonSerializable(typeof(JobView))]
[JsonSerializable(typeof(JobList))]
[JsonSerializable(typeof(QueueView))]
[JsonSerializable(typeof(QueueList))]
[JsonSerializable(typeof(PurgeView))]
[JsonSerializable(typeof(RedispatchView))]
[JsonSerializable(typeof(DeadLetterList))]
[JsonSerializable(typeof(FailureList))]
[JsonSerializable(typeof(ReplayPlanView))]
[JsonSerializable(typeof(ReplayView))]
[JsonSerializable(typeof(KeyView))]
[JsonSerializable(typeof(KeyList))]
[JsonSerializable(typeof(AuditList))]
[JsonSerializable(typeof(AdmissionView))]
[JsonSerializable(typeof(ChaosList))]
[JsonSerializable(typeof(ServerMetadata))]
[JsonSerializable(typeof(ModelMetadata))]
[JsonSerializable(typeof(ModelReadiness))]
[JsonSerializable(typeof(LiveStatus))]
[JsonSerializable(typeof(ReadyStatus))]
[JsonSerializable(typeof(ModelList))]
[JsonSerializable(typeof(IReadOnlyList<IndexEntry>))]
[JsonSerializable(typeof(ModelLoaded))]
[JsonSerializable(typeof(ModelUnloaded))]
[JsonSerializable(typeof(ModelConfiguration))]
[JsonSerializable(typeof(StatisticsList))]
[JsonSerializable(typeof(TrafficList))]
internal sealed partial class ApiJson : JsonSerializerContext;
