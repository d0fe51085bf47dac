using System.Text.Json.Serialization;
using Millrace.Storage.Announcements;
using Millrace.Storage.Jobs;
using Millrace.Storage.Models;
using Millrace.Storage.Replays;

namespace Millrace.Storage;

/// <summary>What lies in the store as JSON.</summary>
[JsonSerializable(typeof(JobError))]
[JsonSerializable(typeof(IReadOnlyDictionary<string, string>))]
[JsonSerializable(typeof(AnnouncedModel))]
[JsonSerializable(typeof(BulkSettings))]
[JsonSerializable(typeof(IReadOnlyList<VersionStatistics>))]
internal sealed partial class StorageJson : JsonSerializerContext;
