using Millrace.Rollback;
using Millrace.Rollback.Health;

return HealthCommand.Match(args) ? await HealthCommand.RunAsync(args) : await RollbackApp.RunAsync(args);
